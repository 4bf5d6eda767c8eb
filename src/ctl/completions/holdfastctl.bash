# bash completion for holdfastctl. Names come from the daemon (holdfastctl --complete), and without one there are none; the
# commands and options are held against holdfastctl's own by tests/house.

# The properties of the instance on the line, or of the first that there is.
_holdfastctl_properties() {
    local name=$1
    [ -n "$name" ] || name=$(holdfastctl --complete 2>/dev/null | head -n 1)
    [ -z "$name" ] || holdfastctl show "$name" 2>/dev/null | sed -n 's/=.*//p' | sort -u
}

# What may stand where an argument of this kind does.
_holdfastctl_words() {
    case $1 in
        instance) holdfastctl --complete 2>/dev/null ;;
        real) holdfastctl --complete-servers 2>/dev/null ;;
        virtual) holdfastctl --complete-servers 2>/dev/null | sed 's|/.*||' | sort -u ;;
        new) _holdfastctl_words virtual | sed 's|$|/|' ;;
        server) _holdfastctl_words virtual; _holdfastctl_words real ;;
        switch) echo on off ;;
        kind) echo instances servers trackers ;;
        priority) echo reset ;;
        weight) echo file ;;
        url) echo http:// https:// ;;
    esac
}

_holdfastctl() {
    local -A arguments=([status]=instance [show]=instance [monitor]=instance [log]=instance [is-master]=instance
        [failover]=instance [takeover]=instance [priority]="instance priority" [announce]=instance [maintenance]=switch [ipvs]=virtual [connections]=server [drain]=real [disable]=real
        [enable]=real [weight]="real weight" [probe]=real [add]=new [remove]=real [digest]=url [list]=kind [tree]="" [top]="" [health]="" [reload]="")
    local -A options=([status]="-n --lines" [show]="-p --property --value" [top]="-n --rounds" [log]="-n --lines -f --follow -x --explain"
        [health]="--liveness --readiness --nagios" [failover]=--hold [takeover]=--force [maintenance]=--reason [drain]="--timeout --wait"
        [add]="--weight --set --persistent" [remove]="--drain --timeout"
        [digest]="--md5 --sha256 -s --server -p --port -u --url -S --use-ssl -I --use-sni -V --virtualhost -H --hash
            -t --timeout --helper-dir")
    local takes_value=" -p --property -n --rounds --lines --hold --reason --timeout -t -s --server --port -u --url -V
        --virtualhost -H --hash --host --helper-dir --address --weight --set "
    local current=${COMP_WORDS[COMP_CWORD]} option="" command="" given=() i

    # bash makes three words of --hold=60s.
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [ "${COMP_WORDS[i+1]}" = = ]; then
            option=${COMP_WORDS[i]}
            ((i + 2 < COMP_CWORD)) && option=
            ((i += 2))
        elif [[ $takes_value == *" ${COMP_WORDS[i]} "* || $takes_value == *" ${COMP_WORDS[i]}"$'\n'* ]]; then
            ((i + 1 == COMP_CWORD)) && option=${COMP_WORDS[i]}
            ((i++))
        elif [[ ${COMP_WORDS[i]} != -* ]]; then
            if [ -z "$command" ]; then command=${COMP_WORDS[i]}; else given+=("${COMP_WORDS[i]}"); fi
        fi
    done
    [ "$current" = = ] && current=

    case $option in
        --address) COMPREPLY=($(compgen -W "unix:path=/run/holdfast/private" -- "$current")); return ;;
        --json) COMPREPLY=($(compgen -W "pretty short off" -- "$current")); return ;;
        --hold | --timeout | -t) COMPREPLY=($(compgen -W "5s 60s 5min 1h" -- "$current")); return ;;
        -H | --hash | --host)
            if [ "$option" != --host ] && [ "$command" = digest ]; then
                COMPREPLY=($(compgen -W "sha256 md5" -- "$current"))
            else
                COMPREPLY=($(compgen -A hostname -- "$current"))
            fi
            return ;;
        --helper-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
        --property) COMPREPLY=($(compgen -W "$(_holdfastctl_properties "${given[0]}")" -- "$current")); return ;;
        -p)
            [ "$command" = digest ] || COMPREPLY=($(compgen -W "$(_holdfastctl_properties "${given[0]}")" -- "$current"))
            return ;;
        ?*) return ;;
    esac
    if [[ $current == -* ]]; then
        local common="--json --address --private --host --no-ask-password --no-pager --no-legend --no-color --full --help"
        [ -n "$command" ] || common+=" --version"
        COMPREPLY=($(compgen -W "$common ${options[${command:--}]-}" -- "$current"))
    elif [ -z "$command" ]; then
        COMPREPLY=($(compgen -W "${!arguments[*]}" -- "$current"))
    else
        local kinds=(${arguments[$command]-})
        [[ " url new " != *" ${kinds[0]-} "* ]] || compopt -o nospace 2>/dev/null
        COMPREPLY=($(compgen -W "$(_holdfastctl_words "${kinds[${#given[@]}]-}")" -- "$current"))
    fi
}
complete -F _holdfastctl holdfastctl
