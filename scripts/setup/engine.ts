import { spawn } from "node:child_process"
import { mkdir, open } from "node:fs/promises"
import { setTimeout as sleep } from "node:timers/promises"
import { execa } from "execa"
import { Fault } from "../../src/protocol/fault.ts"
import { hasProgram, installPackages } from "./packages.ts"
import { step } from "./step.ts"

const START_LIMIT_MS = 60_000
const ASK_LIMIT_MS = 20_000
const DAEMON_LOG = ".cache/dockerd.log"

/** A container engine that answers, and how to stop it if it was started here. */
export interface PreparedEngine {
  version: string
  /** Process id of the daemon that this call started, else null. */
  startedPid: number | null
}

/** Finds a Docker engine, starts the one that is installed, or installs it where the system's packages and rights allow. */
export async function prepareEngine(): Promise<PreparedEngine> {
  const docker = await prepareDocker()
  await prepareOtherEngines()
  return docker
}

function prepareDocker(): Promise<PreparedEngine> {
  return step("Docker engine", async say => {
    const running = await engineVersion()
    if (running) return { version: running, startedPid: null }
    if (!(await hasProgram("dockerd"))) {
      say("installing it from the system's packages")
      await install()
    }
    say("starting it")
    const startedPid = await start()
    return { version: await answered(), startedPid }
  })
}

/**
 * Podman and gVisor, for the tests of the other engines. In CI they are installed where that is possible; elsewhere nobody's machine is
 * changed, and the tests say what they lack.
 */
async function prepareOtherEngines(): Promise<void> {
  if (!process.env.CI) return
  await step("Podman and gVisor, for the tests", async say => {
    if (!(await hasProgram("podman"))) {
      say("installing Podman from the system's packages")
      await installPackages("podman", "crun", "uidmap", "slirp4netns", "fuse-overlayfs")
    }
    if (await hasProgram("runsc")) return
    say("installing gVisor from the system's packages")
    // Not every distribution has it; what is there but does not work is found out when it is tried.
    await installPackages("runsc")
  })
}

/** Ends a daemon that `prepareEngine` started, and waits until it has gone. */
export async function stopEngine({ startedPid }: PreparedEngine): Promise<void> {
  if (startedPid === null) return
  process.kill(startedPid, "SIGTERM")
  for (let waited = 0; waited < START_LIMIT_MS && isAlive(startedPid); waited += 200) await sleep(200)
}

async function engineVersion(): Promise<string | null> {
  const { stdout, failed } = await execa("docker", ["version", "--format", "{{.Server.Version}}"], {
    reject: false,
    timeout: ASK_LIMIT_MS,
  })
  return failed || typeof stdout !== "string" || stdout === "" ? null : stdout
}

async function install(): Promise<void> {
  if (await installPackages("docker.io", "iptables")) return
  throw new Fault(
    "engine-missing",
    "No container engine is installed, and it cannot be installed from here.",
    {
      hint: "Install Docker (https://docs.docker.com/engine/install/), or run this again as root on Debian or Ubuntu.",
    },
  )
}

/** Through systemd where it runs, else as a daemon of its own. */
async function start(): Promise<number | null> {
  const { exitCode } = await execa("systemctl", ["start", "docker"], {
    reject: false,
    timeout: START_LIMIT_MS,
  })
  if (exitCode === 0) return null
  if (process.getuid?.() !== 0) {
    throw new Fault("engine-refused", "The Docker engine is installed but does not answer you.", {
      hint: "Start it (`sudo systemctl start docker`) and join the docker group, or set up rootless Docker. Group members can become root.",
    })
  }
  await mkdir(".cache", { recursive: true })
  const log = await open(DAEMON_LOG, "a")
  const daemon = spawn("dockerd", [], { detached: true, stdio: ["ignore", log.fd, log.fd] })
  daemon.unref()
  await log.close()
  return daemon.pid ?? null
}

async function answered(): Promise<string> {
  const until = Date.now() + START_LIMIT_MS
  while (Date.now() < until) {
    const version = await engineVersion()
    if (version) return version
    await sleep(300)
  }
  throw new Fault("engine-silent", `The Docker engine did not answer within ${START_LIMIT_MS / 1000} s.`, {
    hint: `Look into ${DAEMON_LOG} or \`journalctl -u docker\` for what it says.`,
  })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
