#!/usr/bin/env bash
# From nothing to a decision: a scenario, its stress cube, a recommendation, a page to show around,
# and the ledger of the worst path. `make walk` installs the program and then runs this.
#
#   bash examples/walk.sh [FOLDER]      # a new folder unless given; it may not hold a walk yet
#
# The variable STRESSCUBE names the program where it is not on the path.
set -euo pipefail

case "${STRESSCUBE:=stresscube}" in
  */*) program=$(realpath "$STRESSCUBE") ;;  # as it is called from another folder below
  *) program=$STRESSCUBE ;;
esac
folder=${1:-$(mktemp -d -t stresscube-walk-XXXX)}
mkdir -p "$folder"
cd "$folder"

stresscube() {
  printf '\n$ stresscube %s\n' "$*"
  command "$program" "$@"
}

began=$SECONDS
stresscube new first
stresscube check first.toml
stresscube run first.toml
stresscube show first.run --by return_mean
stresscube recommend first.run --maximise return_mean --subject-to "liquidation_probability<0.01"
stresscube report first.run --maximise return_mean -o first.html
stresscube trace first.run --path worst --set leverage=50 -o first.csv
stresscube export first.run -o cube.csv
printf '\nwalked in %d s; all of it is in %s\n' "$((SECONDS - began))" "$PWD"
