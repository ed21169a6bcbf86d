# Sourced by tests/run and .ci/run: says what goes on, and how long it took.

began=$SECONDS

# step NAME COMMAND...: runs a command; its time is printed also where it fails. Within a function that is run so, a
# command that fails does not end it (bash suspends `set -e` there): join commands with `&&`.
step() {
    local name=$1 from=$SECONDS status=0
    shift
    echo
    echo "==> $name (after $((from - began)) s)"
    "$@" || status=$?
    if [ "$status" -eq 0 ]; then
        echo "==> $name: done in $((SECONDS - from)) s"
    else
        echo "==> $name: FAILED ($status) after $((SECONDS - from)) s"
    fi
    return "$status"
}
