#!/usr/bin/env bash
# From nothing to a decision: a scenario, its stress cube, a recommendation, a page to show around,
# and the ledger of the worst path. `make walk` installs the program and then runs this.
#
#   bash examples/walk.sh [FOLDER]      # a new folder unless given; it may not hold a walk yet
#   STRESSCUBE=.venv/bin/stresscube bash examples/walk.sh
set -euo pipefail

case "${STRESSCUBE:=stresscube}" in
  */*) STRESSCUBE=$(realpath "$STRESSCUBE") ;;  # as it is called from another folder below
esac
folder=${1:-$(mktemp -d -t stresscube-walk-XXXX)}
mkdir -p "$folder"
cd "$folder"

step() {
  printf '\n$ stresscube %s\n' "$*"
  "$STRESSCUBE" "$@"
}

began=$SECONDS
step new first
step check first.toml
step run first.toml
step show first.run --by return_mean
step recommend first.run --maximise return_mean --subject-to "liquidation_probability<0.01"
step report first.run --maximise return_mean -o first.html
step trace first.run --path worst --set leverage=50 -o first.csv
step export first.run -o cube.csv
printf '\nwalked in %d s; all of it is in %s\n' "$((SECONDS - began))" "$PWD"
