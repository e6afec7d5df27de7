import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { hasProgram } from "../../../scripts/setup/packages.ts"

const READY_LIMIT_MS = 60_000
const HOOK_FOLDER = join(import.meta.dirname, "../../stand-in/nvidia-hook")

/** A Docker daemon beside the machine's own, with runtimes of the test and a stand-in for NVIDIA's hook on its PATH. */
export interface OwnDockerd {
  host: string
  /** What the hook was asked for, a line each. */
  hookLog: string
  close(): Promise<void>
}

/** The daemon, or the reason why there can be none here. @param dataRoot where it keeps images, if not beside the rest. */
export async function startDockerd(
  runtimes: Record<string, object>,
  dataRoot?: string,
): Promise<OwnDockerd | string> {
  if (process.getuid?.() !== 0) return "a daemon of its own needs root"
  if (!(await hasProgram("dockerd"))) return "dockerd is not installed"
  const root = await mkdtemp(join(tmpdir(), "zg-dockerd-"))
  const [host, hookLog, config] = [
    `unix://${root}/docker.sock`,
    join(root, "hook.log"),
    join(root, "daemon.json"),
  ]
  await writeFile(config, JSON.stringify({ runtimes }))
  await writeFile(hookLog, "")
  const folders = [
    `--data-root=${dataRoot ?? `${root}/data`}`,
    `--exec-root=${root}/exec`,
    `--pidfile=${root}/pid`,
  ]
  const args = [`--config-file=${config}`, ...folders, `--host=${host}`, "--bridge=none", "--iptables=false"]
  const env = {
    ...process.env,
    PATH: `${HOOK_FOLDER}${delimiter}${process.env.PATH}`,
    ZG_TEST_HOOK_LOG: hookLog,
  }
  const daemon = spawn("dockerd", args, { env, stdio: ["ignore", "ignore", "pipe"] })
  const ended = once(daemon, "exit")
  const close = async () => {
    if (daemon.exitCode === null) daemon.kill("SIGTERM")
    await ended
    await rm(root, { recursive: true, force: true, maxRetries: 5 })
  }
  const stop = new AbortController()
  const late = sleep(READY_LIMIT_MS, false, { signal: stop.signal }).catch(() => false)
  const ready = new Promise<boolean>(resolve => {
    // Reading on keeps the daemon from waiting for a reader.
    daemon.stderr.on("data", piece => String(piece).includes("API listen on") && resolve(true))
    daemon.once("exit", () => resolve(false))
  })
  const isReady = await Promise.race([ready, late])
  stop.abort()
  if (isReady) return { host, hookLog, close }
  await close()
  return "a second dockerd does not start here"
}
