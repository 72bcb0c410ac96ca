#!/usr/bin/env bash
# One cube a seed, a card each:
#
#   sbatch --array=1-8 examples/slurm_array.sh scenarios/btc_eth_hourly.toml
#
# Submitted from the checkout, whose .venv has '.[cuda]' (or '.[cuda12]') installed. A task that was
# stopped goes on where it stood when it is submitted again.
#SBATCH --job-name=stresscube
#SBATCH --ntasks=1
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=4
#SBATCH --mem=32G
#SBATCH --time=02:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@60
set -euo pipefail

scenario=$1
name=$(basename "$scenario" .toml)
mkdir -p runs
exec .venv/bin/stresscube run "$scenario" --backend cuda --quiet --memory 24GB \
  --seed "$SLURM_ARRAY_TASK_ID" -o "runs/$name-seed-$SLURM_ARRAY_TASK_ID.run"
