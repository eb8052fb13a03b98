# Rust's test harness has no hook at its end, and none would survive `kill -9`. So each test process
# leaves one of these behind: when the last process that uses the shared server is gone, the server goes.
#
# $1: the process number of the test process; $2: the server's folder; $3: `gone` if its files are to go with it, as they
# take memory.
# `stopping` guards the moment between "nobody is left" and "the server is gone": a new test process
# registers itself in `holders` first and then waits while `stopping` is there.
trap '' HUP INT
me=$1
dir=$2
files=$3

while kill -0 "$me" 2>/dev/null; do sleep 0.2; done
sleep 1 # runners that start a process a test would otherwise restart the server in between
rm -f "$dir/holders/$me"

tries=0
until mkdir "$dir/stopping" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -gt 150 ] && break # left over from a watcher that was killed
    sleep 0.1
done
for holder in "$dir"/holders/*; do
    [ -e "$holder" ] || continue
    kill -0 "${holder##*/}" 2>/dev/null || rm -f "$holder"
done
if rmdir "$dir/holders" 2>/dev/null; then
    pid=$(head -n 1 "$dir/postgres/postmaster.pid" 2>/dev/null)
    case "$(cat "/proc/$pid/comm" 2>/dev/null || ps -o comm= -p "$pid" 2>/dev/null)" in
    *postgres*)
        kill -INT "$pid" # fast shutdown
        tries=0
        while [ -e "$dir/postgres/postmaster.pid" ] && [ "$tries" -lt 300 ]; do
            tries=$((tries + 1))
            sleep 0.1
        done
        ;;
    esac
    if [ "$files" = gone ] && [ ! -e "$dir/postgres/postmaster.pid" ]; then
        rm -rf "$dir/postgres" "$dir/postgres.log" "$dir/run" "$dir/taskbridge.lock"
    fi
fi
rmdir "$dir/stopping" 2>/dev/null
rmdir "$dir" 2>/dev/null # somebody new is in it otherwise
