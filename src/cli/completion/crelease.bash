# Completion of crelease for bash. The program itself answers with what fits, one candidate a line.
_crelease() {
    local line=${COMP_LINE:0:COMP_POINT} word before='' candidate
    local -a words
    read -ra words <<<"$line"
    [[ $line == *[[:blank:]] ]] && words+=('')
    word=${words[${#words[@]} - 1]}
    # Readline replaces only what follows these characters, if it breaks words there.
    [[ $word == *[=:]* && $COMP_WORDBREAKS == *=* ]] && before=${word%"${word##*[=:]}"}
    COMPREPLY=()
    while IFS= read -r candidate; do
        candidate=${candidate%%$'\t'*}
        case $candidate in
        :files) compopt -o default 2>/dev/null; continue ;;
        *:) compopt -o nospace 2>/dev/null ;;
        esac
        COMPREPLY+=("${candidate#"$before"}")
    done < <("$1" completion words -- "${words[@]:1}" 2>/dev/null </dev/null)
}
complete -F _crelease crelease
