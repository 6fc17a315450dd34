#!/usr/bin/env bash
# Base and trained model of any size, behind servers that speak OpenAI's chat protocol, beside each other.
#
#   vllm serve Qwen/Qwen2.5-7B-Instruct --port 8001 &
#   vllm serve runs/trained --served-model-name trained --port 8002 &
#   experiments/real-models.sh Qwen/Qwen2.5-7B-Instruct@http://localhost:8001/v1 trained@http://localhost:8002/v1 ceiling
#
# Declare BUDGET before you sample; STARTS x MEMBERS talks are played by each. USER_MODEL is "code", or the spec of
# a model. What is there is gone on with, so a run that was stopped can be started again.
set -euo pipefail
base=${1:?base: MODEL@URL} trained=${2:?trained: MODEL@URL} out=${3:?folder}
mkdir -p "$out"
common=(--personas "${PERSONAS:-split:dev}" --episodes "${STARTS:-32}" --members "${MEMBERS:-64}"
  --max-turns "${TURNS:-8}" --user "${USER_MODEL:-code}" --concurrency "${CONCURRENCY:-64}")
for which in base trained; do
  if [ ! -e "$out/$which.jsonl" ]; then
    empathy-env rollout --agent "openai:${!which}" "${common[@]}" --out "$out/$which.part.jsonl"
    mv "$out/$which.part.jsonl" "$out/$which.jsonl"
  fi
done
rm -rf "$out/report"
empathy-env ceiling --base "$out/base.jsonl" --trained "$out/trained.jsonl" --goal "${GOAL:-60}" \
  --budget "${BUDGET:-64}" --out "$out/report"
