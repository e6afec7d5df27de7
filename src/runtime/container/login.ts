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
 * Runs `use` with a client configuration of its own (0700, gone afterwards) that holds this one login: the user's file is neither read
 * nor written, and the password is on no command line.
 */
export async function withLogin<T>(
  credentials: Credentials,
  use: (env: Record<string, string>) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "zg-login-"))
  try {
    const auth = Buffer.from(`${credentials.user}:${credentials.password}`).toString("base64")
    const config = JSON.stringify({ auths: { [credentials.registry]: { auth } } })
    await writeFile(join(folder, "config.json"), config, { mode: 0o600 })
    return await use({ DOCKER_CONFIG: folder })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
