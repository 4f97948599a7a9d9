#compdef crelease
# Completion of crelease for zsh. The program itself answers with what fits, one candidate a line.
_crelease() {
    local line value
    local -a whole shown open
    for line in "${(@f)$("${(Q)words[1]}" completion words -- "${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null </dev/null)}"; do
        value=${line%%$'\t'*}
        case $value in
        '') ;;
        :files) compset -P '*='; _files; return ;;
        *:) open+=("$value") ;;
        *)
            whole+=("$value")
            shown+=("${value}${${line#$value}:+  -- ${line#*$'\t'}}")
            ;;
        esac
    done
    (( $#open )) && compadd -S '' -a open
    (( $#whole )) && compadd -l -d shown -a whole
}
if [[ ${funcstack[1]} == _crelease ]]; then
    _crelease "$@"
else
    compdef _crelease crelease
fi
