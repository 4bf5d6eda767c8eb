# fish completion for holdfastctl; the names come from the daemon, and without one there are none.
set -l commands status list show monitor failover reload
complete -c holdfastctl -f
complete -c holdfastctl -n "not __fish_seen_subcommand_from $commands" -a status -d 'what this host does and why'
complete -c holdfastctl -n "not __fish_seen_subcommand_from $commands" -a list -d 'one line an instance'
complete -c holdfastctl -n "not __fish_seen_subcommand_from $commands" -a show -d 'the properties of an instance'
complete -c holdfastctl -n "not __fish_seen_subcommand_from $commands" -a monitor -d 'a line for each change'
complete -c holdfastctl -n "not __fish_seen_subcommand_from $commands" -a failover -d 'hand an instance over to its peer'
complete -c holdfastctl -n "not __fish_seen_subcommand_from $commands" -a reload -d 'read the configuration again'
complete -c holdfastctl -n "not __fish_seen_subcommand_from $commands" -l version -d 'the version'
complete -c holdfastctl -n "__fish_seen_subcommand_from status show monitor failover" -a '(holdfastctl --complete 2>/dev/null)'
complete -c holdfastctl -n "__fish_seen_subcommand_from show" -s p -l property -x -d 'only this property'
complete -c holdfastctl -n "__fish_seen_subcommand_from show" -l value -d 'values without their names'
complete -c holdfastctl -n "__fish_seen_subcommand_from failover" -l hold -x -a '60s 5min 1h' -d 'do not take it back for so long'
complete -c holdfastctl -l json -d 'print JSON'
complete -c holdfastctl -l json=short -d 'print JSON on one line'
