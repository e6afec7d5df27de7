import { tmpdir } from "node:os"

/** How a wall is taken away, and where that shows. */
export interface Mutation {
  /** From the wall's flag to what stands there instead; null drops it. */
  instead: string | null
  /** What notices it at least: the attempt, the flag in the report, or the fact that the engine tells. */
  by: string
  /**
   * `inside`: an attempt gets through or the report says so. `made`: the engine tells of the container that it made. `flood`: it keeps
   * more of the log. `pull`: it fetches an image by itself. `orphans`: what has ended lies about.
   */
  shows: "inside" | "made" | "flood" | "pull" | "orphans"
  /** Why it is not simply dropped. */
  because?: string
}

const dropped = (by: string, shows: Mutation["shows"]): Mutation => ({ instead: null, by, shows })
const DEFAULT = "the engine's own default is the same, so that leaving it out changes nothing on this engine"

/** Every wall of the policy by the flag's name, with how the suite takes it away. A wall that is not here fails the suite. */
export const MUTATIONS: Record<string, Mutation> = {
  "--pull": dropped("fetched", "pull"),
  "--user": dropped("become-root", "inside"),
  "--network": {
    by: "machine-loopback",
    instead: "--network=host",
    shows: "inside",
    because: "not every engine has a bridge",
  },
  "--dns": dropped("learn-name-server", "inside"),
  "--dns-search": dropped("HostConfig.DnsSearch", "made"),
  "--read-only": dropped("write-elsewhere", "inside"),
  "--cap-drop": dropped("--cap-drop=ALL", "inside"),
  "--security-opt=no-new-privileges": dropped("setuid-program", "inside"),
  "--security-opt=seccomp": dropped("rare-sockets", "inside"),
  "--ipc": { by: "--ipc=private", instead: "--ipc=host", shows: "inside", because: DEFAULT },
  "--cgroupns": {
    by: "learn-cgroup",
    instead: "--cgroupns=host",
    shows: "inside",
    because: "with cgroup v2 the engine's own default is the same",
  },
  "--init": dropped("orphans", "orphans"),
  "--restart": {
    by: "HostConfig.RestartPolicy.Name",
    instead: "--restart=always",
    shows: "made",
    because: DEFAULT,
  },
  "--no-healthcheck": dropped("Config.Healthcheck.Test", "made"),
  "--stop-signal": dropped("Config.StopSignal", "made"),
  "--hostname": dropped("--hostname=shard", "inside"),
  "--workdir": dropped("Config.WorkingDir", "made"),
  "--oom-score-adj": dropped("outlive-others", "inside"),
  "--pids-limit": dropped("--pids-limit", "inside"),
  "--memory": dropped("--memory", "inside"),
  "--memory-swap": dropped("--memory-swap", "inside"),
  "--cpus": dropped("--cpus", "inside"),
  "--ulimit=nofile": dropped("--ulimit=nofile", "inside"),
  "--ulimit=core": dropped("raise-limit", "inside"),
  "--ulimit=msgqueue": dropped("message-queue", "inside"),
  "--ulimit=fsize": dropped("raise-limit", "inside"),
  "--shm-size": dropped("--shm-size", "inside"),
  "--tmpfs": dropped("--tmpfs=/tmp:size", "inside"),
  "--log-driver": dropped("HostConfig.LogConfig.Type", "made"),
  "--log-opt=max-size": dropped("log-flood", "flood"),
  "--log-opt=max-file": dropped("log-flood", "flood"),
  "--log-opt=compress": dropped("HostConfig.LogConfig.Config", "made"),
  "--stop-timeout": dropped("Config.StopTimeout", "made"),
}

/** `--ulimit=core=0:0` is `--ulimit=core`: two walls of one flag are told apart by what they are about. */
export function wallName(flag: string): string {
  return /^--(ulimit|log-opt|security-opt)=[^=:]+/.exec(flag)?.[0] ?? flag.split("=")[0] ?? flag
}

/** The arguments without one wall. The engine refuses a limit for swap without one for memory, so that both go. */
export function without(name: string): (args: string[]) => string[] {
  const instead = MUTATIONS[name]?.instead ?? null
  const goes = (arg: string) =>
    wallName(arg) === name || (name === "--memory" && wallName(arg) === "--memory-swap")
  return args => args.flatMap(arg => (goes(arg) ? (instead === null ? [] : [instead]) : [arg]))
}

/** Beside the policy's flags: what a container is given, each as an argument that is loosened. */
export const LOOSENED: [what: string, by: string, from: RegExp, to: string][] = [
  ["the spec is writable", "spec-write", /^(--mount=.*spec\.json.*),readonly$/, "$1"],
  ["an input is writable", "input-write", /^(--mount=.*\/shard\/in\/data.*),readonly$/, "$1"],
  ["seccomp is off", "keyctl", /^--security-opt=seccomp=.*$/, "--security-opt=seccomp=unconfined"],
  ["processes are the machine's", "see-processes", /^(--init)$/, "$1 --pid=host"],
  ["a folder of the machine is mounted", "host-file", /^(--init)$/, `$1 --volume=${tmpdir()}:/opt:ro`],
  ["a device is there", "raw-devices", /^(--init)$/, "$1 --device=/dev/null:/dev/mem"],
  ["a card is there", "other-gpus", /^(--init)$/, "$1 --device=/dev/null:/dev/nvidia0"],
  ["a variable is there", "environment", /^(--init)$/, "$1 --env=OWNER_SECRET=x"],
  [
    "the image's loader variable stays",
    "--env=LD_PRELOAD",
    /^--env=LD_PRELOAD=$/,
    "--env=LD_PRELOAD=/mine.so",
  ],
  [
    "cards are asked for",
    "--env=NVIDIA_VISIBLE_DEVICES",
    /^--env=NVIDIA_VISIBLE_DEVICES=void$/,
    "--env=NVIDIA_VISIBLE_DEVICES=all",
  ],
]
