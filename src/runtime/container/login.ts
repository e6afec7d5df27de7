import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Credentials {
  /** Host and port of the registry. */
  registry: string
  user: string
  password: string
}

/** Followed by the number of the process that made it, by which one that was left behind is told. */
const PREFIX = "zg-login-"

/**
 * Runs `use` with a client configuration of its own (0700, gone afterwards) that holds this one login, or none: the user's file is
 * neither read nor written, and the password is on no command line.
 */
export async function withLogin<T>(
  credentials: Credentials | null,
  use: (env: Record<string, string>) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`))
  try {
    await writeFile(join(folder, "config.json"), configOf(credentials), { mode: 0o600 })
    // Docker's name for the folder, and Podman's for the file (containers-auth.json(5)).
    return await use({ DOCKER_CONFIG: folder, REGISTRY_AUTH_FILE: join(folder, "config.json") })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Removes the configurations of this user's processes that were killed meanwhile, with the logins in them. */
export async function removeLeftLogins(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = Number(new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1])
    const path = join(tmpdir(), name)
    if (pid > 0 && !isAlive(pid) && (await isOwn(path))) await rm(path, { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}

async function isOwn(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null)
  return found !== null && found.uid === process.getuid?.()
}

function configOf(credentials: Credentials | null): string {
  if (credentials === null) return "{}"
  const auth = Buffer.from(`${credentials.user}:${credentials.password}`).toString("base64")
  return JSON.stringify({ auths: { [credentials.registry]: { auth } } })
}
