import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Credentials {
  /** Host and port of the registry. */
  registry: string
  user: string
  password: string
}

/**
 * Runs `use` with a client configuration of its own (0700, gone afterwards) that holds this one login, or none: the user's file is
 * neither read nor written, and the password is on no command line.
 */
export async function withLogin<T>(
  credentials: Credentials | null,
  use: (env: Record<string, string>) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "zg-login-"))
  try {
    await writeFile(join(folder, "config.json"), configOf(credentials), { mode: 0o600 })
    // Docker's name for the folder, and Podman's for the file (containers-auth.json(5)).
    return await use({ DOCKER_CONFIG: folder, REGISTRY_AUTH_FILE: join(folder, "config.json") })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function configOf(credentials: Credentials | null): string {
  if (credentials === null) return "{}"
  const auth = Buffer.from(`${credentials.user}:${credentials.password}`).toString("base64")
  return JSON.stringify({ auths: { [credentials.registry]: { auth } } })
}
