# Completion of crelease for fish. The program itself answers with what fits, one candidate a line.
function __crelease_words
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    set -l lines ($program completion words -- $words "$word" 2>/dev/null </dev/null)
    if contains -- :files $lines
        set -l before (string match -r '^--[a-z-]+=' -- "$word")
        for path in (__fish_complete_path (string replace -r '^--[a-z-]+=' '' -- "$word"))
            printf '%s%s\n' "$before" $path
        end
    else
        test -n "$lines"; and printf '%s\n' $lines
    end
end
complete -c crelease -f -a '(__crelease_words)'
