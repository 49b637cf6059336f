# A Slurm cluster of one controller and two nodes on this host, as the user who starts it. To be sourced.
#
# Everything lies in the folder that `start_slurm` is given; ports are on the loopback interface only.

daemons=()
declare -A slurmd

# Two nodes that differ by their port. A node that no longer answers is given up after ten seconds,
# and what ran there waits for its credentials to expire before it is queued again: five seconds, not the usual 120.
write_configuration() {
  local folder=$1 user host
  user=$(id -un) host=$(hostname -s)
  cat >"$folder/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$2
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
ReturnToService=2
SlurmdTimeout=10
KillWait=2
MinJobAge=600
NodeName=one NodeHostname=$host NodeAddr=127.0.0.1 Port=$3 CPUs=1 RealMemory=1000
NodeName=two NodeHostname=$host NodeAddr=127.0.0.1 Port=$4 CPUs=1 RealMemory=1000
PartitionName=all Nodes=one,two Default=YES MaxTime=INFINITE State=UP
CONF
}

# Starts munged, slurmctld and two slurmd, and returns when both nodes are idle.
start_slurm() {
  local folder=$1
  mkdir -p "$folder"/{state,spool-one,spool-two}
  chmod 700 "$folder"
  write_configuration "$folder" 26817 26818 26819
  export SLURM_CONF=$folder/slurm.conf
  head -c 1024 /dev/urandom >"$folder/munge.key"
  chmod 400 "$folder/munge.key"
  munged --foreground --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
    --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" --seed-file="$folder/munged.seed" \
    >"$folder/munged.out" 2>&1 &
  daemons+=($!)
  until_true 10 test -S "$folder/munge.socket"
  slurmctld -D >"$folder/slurmctld.out" 2>&1 &
  daemons+=($!)
  for node in one two; do
    slurmd -D -N $node >"$folder/slurmd-$node.out" 2>&1 &
    daemons+=($!) slurmd[$node]=$!
  done
  until_true 60 both_idle
}

both_idle() { [[ $(sinfo --noheader --Node --format=%T 2>/dev/null | sort -u) == idle ]]; }

# Runs a command again and again until it succeeds, for so many seconds at most.
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    if ((SECONDS > end)); then
      echo "timed out: $*" >&2
      return 1
    fi
    sleep 0.3
  done
}

# Stops the daemons, and what they started.
stop_slurm() {
  ((${#daemons[@]} > 0)) || return 0
  timeout 10 scancel --user="$(id -un)" 2>/dev/null || true
  until_true 10 no_jobs 2>/dev/null || true
  kill "${daemons[@]}" 2>/dev/null || true
  sleep 1
  kill -KILL "${daemons[@]}" 2>/dev/null || true
  wait "${daemons[@]}" 2>/dev/null || true
}

no_jobs() { [[ -z $(timeout 5 squeue --noheader) ]]; }
