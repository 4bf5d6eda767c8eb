# bash completion for holdfastctl; the names come from the daemon, and without one there are none.
_holdfastctl() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command="" word
    local options="--json --json=short --json=pretty --json=off --help"
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in status|list|show|monitor|failover|reload|ipvs|drain|disable|enable|weight|probe) command=$word; break ;; esac
    done
    case $previous in
        --hold|--timeout) COMPREPLY=($(compgen -W "60s 5min 1h" -- "$current")); return ;;
        -p|--property)
            COMPREPLY=($(compgen -W "Name Path Interface VirtualRouterId Family Version State StateReason StateTimestamp
                StateTimestampMonotonic BasePriority EffectivePriority PriorityContributions Faults Addresses ActiveRouter
                ObservedPeers AdvertIntervalUSec MasterDownIntervalUSec Preempt PreemptDelayUSec Prompt HeldBack LeaseUSec
                LeaseNote Trackers Counters" -- "$current"))
            return ;;
    esac
    case $command in
        "") COMPREPLY=($(compgen -W "status list show monitor failover reload ipvs drain disable enable weight probe --version $options" -- "$current")); return ;;
        show) options+=" -p --property --value" ;;
        failover) options+=" --hold" ;;
        drain) options+=" --timeout --wait" ;;
    esac
    case $current in
        -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
        *) case $command in
               list|reload|ipvs) ;;
               drain|disable|enable|weight|probe)
                   COMPREPLY=($(compgen -W "$(holdfastctl --complete-servers 2>/dev/null)" -- "$current")) ;;
               *) COMPREPLY=($(compgen -W "$(holdfastctl --complete 2>/dev/null)" -- "$current")) ;;
           esac ;;
    esac
}
complete -F _holdfastctl holdfastctl
