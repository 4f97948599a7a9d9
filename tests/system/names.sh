#!/bin/bash
# Names and kinds of files: what goes live is what git archive would export, byte for byte.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='translated_arrival many_in_a_folder'

add() { # PATH TEXT
    mkdir -p "$REPO/$(dirname -- "$1")"
    printf '%s' "$2" >"$REPO/$1"
}

awkward_files() {
    local long
    add 'with space/a  b.txt' one
    add $'quotes/it\'s "so".txt' two
    add $'new\nline/name\nof two lines' three
    add $'latin1/caf\xe9' four
    add 'utf8/žluťoučký kůň' five
    add -n/-rf six
    add '*/?[a]' seven
    # shellcheck disable=SC2016
    add '$(touch OOPS)/`id`;&|' eight
    add 'back\slash/\n' nine
    add $'tab\there/\x1b[31mred' ten
    add .hidden/.file eleven
    long=$(printf 'd%.0s' $(seq 95))
    add "$long/$long/$long/end-of-a-long-path" twelve
    add "$(printf 'n%.0s' $(seq 240))" thirteen
    add empty ''
    add ' leading' x
    add Case/name one
    add Case/Name two
    add case/name three
    add 'trailing ' x
    add 'bin/tool' $'#!/bin/sh\necho tool\n'
    chmod +x "$REPO/bin/tool"
    head -c 300000 /dev/urandom >"$REPO/binary"
    ln -s ../bin/tool "$REPO/utf8/link"
    ln -s $'nowhere/it\'s\nbroken' "$REPO/dangling"
    ln -s /etc/hostname "$REPO/absolute"
    ln -s with\ space "$REPO/to-folder"
    add secret/notes.txt hidden
    add tests/only.rb hidden
    add version.txt $'$Format:%H %ct %an$\n'
    add .gitattributes $'secret export-ignore\ntests/*.rb export-ignore\nversion.txt export-subst\n.gitattributes export-ignore\n'
}

# Names, kinds, the executable bit, targets, contents.
exactly_exported() { # HOST
    local want dir
    want=$(mktemp -d "$SITE/want.XXXXXX")
    dir=$(current "$1")
    git -C "$REPO" archive HEAD | tar -C "$want" -xf -
    # What crelease itself adds to it.
    (cd "$dir" && find . -mindepth 1 \( -name REVISION -o -name REVISION_TIME \) -prune -o -printf '%p|%y|%l|%m\0') |
        LC_ALL=C sort -z | tr '\0\n' '\n?' | sed 's/|[0-7]*[1357][0-7][0-7]$/|x/; s/|[0-7][0-7][0-7]$/|-/; s/|l|\(.*\)|.*$/|l|\1/' >"$SITE/is"
    (cd "$want" && find . -mindepth 1 -printf '%p|%y|%l|%m\0') |
        LC_ALL=C sort -z | tr '\0\n' '\n?' | sed 's/|[0-7]*[1357][0-7][0-7]$/|x/; s/|[0-7][0-7][0-7]$/|-/; s/|l|\(.*\)|.*$/|l|\1/' >"$SITE/want.list"
    diff "$SITE/want.list" "$SITE/is" || fail "$1: other names than git archive has: $(diff "$SITE/want.list" "$SITE/is" | sed -n 2p)"
    (cd "$want" && find . -type f -exec cmp -- {} "$dir"/{} \;) >"$SITE/cmp" 2>&1
    [ ! -s "$SITE/cmp" ] || fail "$1: other content: $(head -n 1 "$SITE/cmp")"
}

site_plain() {
    site_new "$1" 2
    recipe_write <<<$'linked_files: []\nlinked_dirs: []\nrestart: {}'
}

case_awkward() {
    site_plain awkward
    awkward_files
    commit_all 'Awkward names'
    expect_status 0 deploy production
    exactly_exported app1
    exactly_exported app2
}

# 65,000 names in one folder, which Git has as one tree.
case_many_in_a_folder() {
    site_new many_in_a_folder 0
    recipe_write <<<$'linked_files: []\nlinked_dirs: []\nrestart: {}'
    local blob tree
    blob=$(echo x | git -C "$REPO" hash-object -w --stdin)
    tree=$(awk -v blob="$blob" 'BEGIN { for (i = 1; i <= 65000; i++) printf "100644 blob %s\tfile-%05d\n", blob, i }' |
        git -C "$REPO" mktree)
    tree=$(printf '040000 tree %s\tmany\n' "$tree" | git -C "$REPO" mktree)
    git -C "$REPO" update-ref refs/heads/main "$(git -C "$REPO" commit-tree -m Many "$tree")"
    expect_status 0 deploy production
    assert_equal files "$(find "$(current here)/many" -type f | wc -l)" 65000
    expect_status 0 status production --verify
    expect_output 'unchanged'
}

case_change_of_kind() {
    site_plain change_of_kind
    awkward_files
    commit_all 'Awkward names'
    expect_status 0 deploy production
    cd "$REPO"
    git rm -q -r 'with space' empty
    rm dangling absolute
    add 'with space' 'was a folder'
    add empty/now-a-folder x
    add dangling 'was a link'
    ln -s binary absolute
    chmod -x bin/tool
    printf 'changed' >$'latin1/caf\xe9'
    git rm -q $'new\nline/name\nof two lines'
    git mv 'utf8/žluťoučký kůň' $'utf8/\xff\xfe'
    commit_all 'Other kinds'
    cd "$SITE"
    expect_status 0 deploy production
    exactly_exported app1
    exactly_exported app2
    # And the same from nothing.
    rm -rf "${SITE:?}/app2"
    mkdir "$SITE/app2"
    expect_status 0 deploy --force production
    exactly_exported app2
}

# A release that was edited in place is not copied from.
case_edited_by_hand() {
    site_plain edited_by_hand
    expect_status 0 deploy production
    echo evil >>"$SITE/app1/current/Rakefile"
    rm "$SITE/app1/current/README"
    echo more >"$SITE/app1/current/extra"
    chmod +x "$SITE/app1/current/public/index.html"
    commit_file public/other.html new
    expect_status 0 deploy production
    exactly_exported app1
    exactly_exported app2
}

# A tool of the host that speaks another language whatever it is told: what it says decides nothing.
translated() {
    mkdir -p "$SITE/bin"
    cat >"$SITE/bin/sha256sum" <<'END'
#!/bin/sh
said=$(/usr/bin/env PATH=/usr/bin:/bin sha256sum "$@")
status=$?
printf '%s\n' "$said" | sed 's/: OK$/: GUT/; s/: FAILED.*$/: FEHLSCHLAG/'
exit $status
END
    chmod +x "$SITE/bin/sha256sum"
    PATH=$SITE/bin:$PATH
}

site_translated() {
    site_new "$1" 0
    recipe_write <<<$'linked_files: []\nlinked_dirs: []\nrestart: {}'
    translated
    # Where there is none of that name these are as C.
    export LC_ALL=de_DE.UTF-8 LANGUAGE=de
}

case_translated_verify() {
    site_translated translated_verify
    local file
    add $'latin1/caf\xe9' one
    add $'latin1/tool\xff' two
    chmod +x "$REPO/"$'latin1/tool\xff'
    add $'new\nline' three
    add REVISION 'of the repository'
    ln -s nowhere "$REPO/"$'link\xfe'
    commit_all 'Names'
    expect_status 0 deploy production
    expect_status 0 status --verify production
    expect_output 'unchanged since it was deployed'
    for file in Rakefile $'latin1/caf\xe9' $'latin1/tool\xff' $'new\nline' $'link\xfe'; do
        rm -f "$SITE/kept"
        cp -P "$SITE/here/current/$file" "$SITE/kept"
        rm "$SITE/here/current/$file"
        expect_differs
        if [ ! -L "$SITE/kept" ]; then
            sed 's/./X/' "$SITE/kept" >"$SITE/here/current/$file"
            chmod --reference="$SITE/kept" "$SITE/here/current/$file"
            expect_differs
            cp -p "$SITE/kept" "$SITE/here/current/$file"
            chmod a+x "$SITE/here/current/$file"
            [ -x "$SITE/kept" ] || expect_differs
        fi
        rm -f "$SITE/here/current/$file"
        cp -P "$SITE/kept" "$SITE/here/current/$file"
        expect_status 0 status --verify production
    done
}
expect_differs() {
    run_crelease status --verify production
    expect_output 'changed since it was deployed'
    [ "$STATUS" != 0 ] || fail "a file that differs: status 0"
}

# What arrives is not what was sent.
case_translated_arrival() {
    site_translated translated_arrival
    add $'latin1/caf\xe9' one
    commit_all 'Names'
    # shellcheck disable=SC2016 # for sh
    printf '#!/bin/sh\n%s\n' 'PATH=/usr/bin:/bin tar "$@" || exit' 'printf X | dd of="$(cat "$0.file")" conv=notrunc 2>/dev/null' >"$SITE/bin/tar"
    chmod +x "$SITE/bin/tar"
    local file
    for file in README $'latin1/caf\xe9'; do
        printf '%s' "$file" >"$SITE/bin/tar.file"
        expect_status 1 deploy production
        expect_output "the files received are not those of the revision: differs"
        assert_gone "$SITE/here/current"
        expect_status 0 abort production
    done
    rm "$SITE/bin/tar"
    expect_status 0 deploy production
}

# Jobs, and what exec runs, have the locale of the login or of the recipe; the scripts' own is not theirs.
case_locale_of_jobs() {
    site_translated locale_of_jobs
    recipe_write <<<$'linked_files: []\nlinked_dirs: []\nrestart: {}\nbuild: [\'echo "${LC_ALL-none} ${LANG-none}" >made\']'
    expect_status 0 deploy production
    assert_equal "the login's" "$(cat "$SITE/here/current/made")" 'de_DE.UTF-8 C.UTF-8'
    # shellcheck disable=SC2016 # for the host
    expect_status 0 exec production -- 'echo "is ${LC_ALL-none}"'
    expect_output 'is de_DE.UTF-8'
    unset LC_ALL
    expect_status 0 deploy --force production
    assert_equal "none" "$(cat "$SITE/here/current/made")" 'none C.UTF-8'
    # shellcheck disable=SC2016 # for the host
    expect_status 0 exec production -- 'echo "is ${LC_ALL-none}"'
    expect_output 'is none'
    recipe_write <<<$'env: {LC_ALL: nl_NL.UTF-8}\nlinked_files: []\nlinked_dirs: []\nrestart: {}\nbuild: [\'echo "${LC_ALL-none} ${LANG-none}" >made\']'
    expect_status 0 deploy --force production
    assert_equal "the recipe's" "$(cat "$SITE/here/current/made")" 'nl_NL.UTF-8 C.UTF-8'
}

rig_open
start_hosts 2
run_cases "$@"
