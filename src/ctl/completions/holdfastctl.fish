# fish completion for holdfastctl. Names come from the daemon (holdfastctl --complete), and without one there are none; the
# commands and options are held against holdfastctl's own by tests/house.

function __holdfastctl_virtual
    holdfastctl --complete-servers 2>/dev/null | string replace -r '/.*' '' | sort -u
end
# The properties of the instance on the line, or of the first that there is.
function __holdfastctl_properties
    set -l names (holdfastctl --complete 2>/dev/null)
    set -l name $names[1]
    for word in (commandline -opc)
        contains -- $word $names; and set name $word
    end
    test -n "$name"; and holdfastctl show $name 2>/dev/null | string match -r '^[^=]+(?==)' | sort -u
end
# The command and its arguments, without options and their values.
function __holdfastctl_given
    set -l valued -p --property -n --rounds --lines --hold --reason --timeout -t -s --server --port -u --url -V --virtualhost -H --hash --helper-dir --address --weight --set
    set -l is_value no
    for word in (commandline -opc)[2..-1]
        if test $is_value = yes
            set is_value no
        else if contains -- $word $valued
            set is_value yes
        else if not string match -q -- '-*' $word
            echo $word
        end
    end
end
# No command on the line yet; one of these is; it has its first argument.
function __holdfastctl_bare
    test (count (__holdfastctl_given)) = 0
end
function __holdfastctl_has
    set -l given (__holdfastctl_given)
    set -q given[1]; and contains -- $given[1] $argv
end
function __holdfastctl_second
    test (count (__holdfastctl_given)) -ge 2
end

complete -c holdfastctl -f
complete -c holdfastctl -l json -d 'JSON in place of text'
complete -c holdfastctl -l json=short -d 'JSON on one line'
complete -c holdfastctl -l address -x -a unix:path=/run/holdfast/private -d 'D-Bus address of the daemon'
complete -c holdfastctl -l private -d 'by the private socket, not the bus'
complete -c holdfastctl -l no-ask-password -d 'never ask for a password'
complete -c holdfastctl -l no-pager -d 'all at once'
complete -c holdfastctl -l no-legend -d 'tables without headings'
complete -c holdfastctl -l no-color -d 'no colours'
complete -c holdfastctl -l full -d 'lines as long as they are'
complete -c holdfastctl -l host -x -a '(__fish_print_hostnames)' -d 'on another host, by ssh'
complete -c holdfastctl -n 'not __holdfastctl_has digest' -s H -x -a '(__fish_print_hostnames)' -d 'on another host, by ssh'
complete -c holdfastctl -s h -l help -d 'what there is'
complete -c holdfastctl -n __holdfastctl_bare -l version -d 'the version'

complete -c holdfastctl -n __holdfastctl_bare -a status -d 'what this host does and why'
complete -c holdfastctl -n __holdfastctl_bare -a list -d 'one line an instance'
complete -c holdfastctl -n __holdfastctl_bare -a show -d 'the properties of an instance'
complete -c holdfastctl -n __holdfastctl_bare -a monitor -d 'a line for each change'
complete -c holdfastctl -n __holdfastctl_bare -a tree -d 'who depends on whom'
complete -c holdfastctl -n __holdfastctl_bare -a top -d 'adverts, connections and bytes a second'
complete -c holdfastctl -n __holdfastctl_bare -a log -d 'the journal of the daemon'
complete -c holdfastctl -n __holdfastctl_bare -a is-master -d 'whether the instance is master here'
complete -c holdfastctl -n __holdfastctl_bare -a health -d 'whether something is at fault'
complete -c holdfastctl -n __holdfastctl_bare -a failover -d 'hand an instance over'
complete -c holdfastctl -n __holdfastctl_bare -a takeover -d 'make this host master, at once'
complete -c holdfastctl -n __holdfastctl_bare -a priority -d 'give an instance another priority'
complete -c holdfastctl -n __holdfastctl_bare -a announce -d 'announce what this host serves'
complete -c holdfastctl -n __holdfastctl_bare -a maintenance -d 'take this host out of service, or back'
complete -c holdfastctl -n __holdfastctl_bare -a reload -d 'read the configuration again'
complete -c holdfastctl -n __holdfastctl_bare -a ipvs -d 'virtual servers, health and connections'
complete -c holdfastctl -n __holdfastctl_bare -a connections -d 'what the kernel balances now'
complete -c holdfastctl -n __holdfastctl_bare -a digest -d 'the digest that a check is to expect'
complete -c holdfastctl -n __holdfastctl_bare -a drain -d 'no new connections for a real server'
complete -c holdfastctl -n __holdfastctl_bare -a disable -d 'take a real server out at once'
complete -c holdfastctl -n __holdfastctl_bare -a enable -d 'end drain and disable'
complete -c holdfastctl -n __holdfastctl_bare -a weight -d 'give a real server another weight'
complete -c holdfastctl -n __holdfastctl_bare -a probe -d 'check a real server now'
complete -c holdfastctl -n __holdfastctl_bare -a add -d 'one more real server for a virtual server'
complete -c holdfastctl -n __holdfastctl_bare -a remove -d 'take away a real server that was added'

complete -c holdfastctl -n "__holdfastctl_has status show monitor log is-master failover takeover priority announce; and not __holdfastctl_second" -a '(holdfastctl --complete 2>/dev/null)'
complete -c holdfastctl -n "__holdfastctl_has drain disable enable weight probe remove connections; and not __holdfastctl_second" -a '(holdfastctl --complete-servers 2>/dev/null)'
complete -c holdfastctl -n "__holdfastctl_has ipvs connections; and not __holdfastctl_second" -a '(__holdfastctl_virtual)'
complete -c holdfastctl -n "__holdfastctl_has add; and not __holdfastctl_second" -a "(__holdfastctl_virtual | string replace -r '\$' /)"
complete -c holdfastctl -n "__holdfastctl_has weight; and __holdfastctl_second" -a file -d 'what the file says'
complete -c holdfastctl -n "__holdfastctl_has list; and not __holdfastctl_second" -a 'instances servers trackers'
complete -c holdfastctl -n "__holdfastctl_has maintenance; and not __holdfastctl_second" -a 'on off'
complete -c holdfastctl -n "__holdfastctl_has maintenance" -l reason -x -d 'one line for people'
complete -c holdfastctl -n "__holdfastctl_has show" -s p -l property -x -a '(__holdfastctl_properties)' -d 'only this property'
complete -c holdfastctl -n "__holdfastctl_has show" -l value -d 'values without their names'
complete -c holdfastctl -n "__holdfastctl_has top" -s n -l rounds -x -d 'end after so many looks'
complete -c holdfastctl -n "__holdfastctl_has status" -s n -l lines -x -d 'so many lines of the journal'
complete -c holdfastctl -n "__holdfastctl_has log" -s n -l lines -x -d 'only so many, the newest'
complete -c holdfastctl -n "__holdfastctl_has log" -s f -l follow -d 'go on with what comes'
complete -c holdfastctl -n "__holdfastctl_has log" -s x -l explain -d 'with cause and cure'
complete -c holdfastctl -n "__holdfastctl_has health" -l liveness -d 'whether the daemon answers'
complete -c holdfastctl -n "__holdfastctl_has health" -l readiness -d 'the default'
complete -c holdfastctl -n "__holdfastctl_has health" -l nagios -d 'line and status of a monitoring plugin'
complete -c holdfastctl -n "__holdfastctl_has failover" -l hold -x -a '60s 5min 1h' -d 'do not take it back for so long'
complete -c holdfastctl -n "__holdfastctl_has takeover" -l force -d 'also when no master is heard'
complete -c holdfastctl -n "__holdfastctl_has priority; and __holdfastctl_second" -a reset -d 'what the file says'
complete -c holdfastctl -n "__holdfastctl_has drain" -l timeout -x -a '60s 5min 1h' -d 'it leaves after so long anyway'
complete -c holdfastctl -n "__holdfastctl_has drain" -l wait -d 'show its connections until it has left'
complete -c holdfastctl -n "__holdfastctl_has add" -l weight -x -d 'its weight'
complete -c holdfastctl -n "__holdfastctl_has add" -l set -x -d 'another directive'
complete -c holdfastctl -n "__holdfastctl_has add" -l persistent -d 'also when this host has started again'
complete -c holdfastctl -n "__holdfastctl_has remove" -l drain -d 'when its connections are over'
complete -c holdfastctl -n "__holdfastctl_has remove" -l timeout -x -a '60s 5min 1h' -d 'after so long anyway'
complete -c holdfastctl -n "__holdfastctl_has digest" -l md5 -d 'MD5 instead of SHA-256'
complete -c holdfastctl -n "__holdfastctl_has digest" -l sha256 -d 'the default'
complete -c holdfastctl -n "__holdfastctl_has digest" -s s -l server -x -d 'where the page is'
complete -c holdfastctl -n "__holdfastctl_has digest" -s p -l port -x -d 'its port'
complete -c holdfastctl -n "__holdfastctl_has digest" -s u -l url -x -d 'its path'
complete -c holdfastctl -n "__holdfastctl_has digest" -s S -l use-ssl -d HTTPS
complete -c holdfastctl -n "__holdfastctl_has digest" -s I -l use-sni -d 'name the host in TLS'
complete -c holdfastctl -n "__holdfastctl_has digest" -s V -l virtualhost -x -d 'another Host'
complete -c holdfastctl -n "__holdfastctl_has digest" -s H -l hash -x -a 'sha256 md5' -d 'which digest'
complete -c holdfastctl -n "__holdfastctl_has digest" -s t -l timeout -x -a '5s 60s' -d 'how long it may take'
complete -c holdfastctl -n "__holdfastctl_has digest" -l helper-dir -r -F -d 'where holdfast-prober is'
