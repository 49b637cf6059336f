# What the scripts of this folder share; to be read after the settings of a run.

# Queues a script of this folder and prints the job's number: queue SCRIPT LOG [SBATCH OPTION]… -- [ARGUMENT]…
queue() {
  local script=$1 log=$2 own=() name job
  shift 2
  while [[ $1 != -- ]]; do
    own+=("$1")
    shift
  done
  shift
  local command=(sbatch --parsable --job-name="tkmia-$(basename "$output")-${log%%-*}" --chdir="$output"
    --output="$work/logs/$log-%A.log" "${sbatch_options[@]}" "${own[@]}" "$scripts/$script" "$work/settings.sh" "$@")
  if ${dry_run:-false}; then
    printf ' %q' "${command[@]}"
    echo
    return
  fi
  job=$(
    # What Slurm tells this job about itself isn't meant for the next one.
    for name in "${!SLURM_@}"; do [[ $name == SLURM_CONF ]] || unset "$name"; done
    "${command[@]}"
  )
  job=${job%%;*}
  echo "$job" >>"$work/jobs"
  echo "$job"
}

# queue_supervisor IDLE RECORDS [SBATCH OPTION]…
queue_supervisor() { queue supervise.sbatch supervisor "${@:3}" -- "$1" "$2"; }

# queue_shards STAGE LIST, the list in sbatch's form: 1-16 or 3,7
queue_shards() { queue shard.sbatch "$1-%3a" --array="$2${at_once:+%$at_once}" -- "$1"; }

# The run's jobs that wait or run, apart from this one, by number; separated by colons.
under_way() {
  local queued
  [[ -f $work/jobs ]] || return 0
  queued=$(squeue --noheader --user="$(id -un)" --states=PENDING,CONFIGURING,RUNNING,SUSPENDED --format=%F)
  # grep fails where it finds nothing, which is no failure here.
  { grep -Fx "${queued:-none}" "$work/jobs" | grep -Fxv "${SLURM_JOB_ID:-none}" || true; } | sort -u | paste -sd :
}

# The folder of a shard: folder_of STAGE INDEX
folder_of() { printf '%s/%s/%03d' "$work" "$1" "$2"; }

# `tkmia run` with what the user asked for, on the CPUs that Slurm has given.
run_tkmia() {
  local cpus=${SLURM_CPUS_PER_TASK:-${SLURM_CPUS_ON_NODE:-1}}
  export RAYON_NUM_THREADS=$cpus
  case $device in cpu | ndarray) workers=${workers:-$cpus} ;; esac
  "$tkmia" run "$experiment" "${options[@]}" --device "$device" ${workers:+--workers "$workers"} "$@"
}

# Modules and the like rarely bear bash's strict mode.
if [[ -n ${SLURM_JOB_ID:-} && -n $setup ]]; then
  set +eu
  source "$setup"
  set -eu
fi
