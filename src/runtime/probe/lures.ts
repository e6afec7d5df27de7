import { randomBytes } from "node:crypto"
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { type AddressInfo, createServer, type ListenOptions, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** What only somebody outside of the sandbox can reach: a file, two sockets and a port, each open to every user of this machine. */
export interface Lures extends AsyncDisposable {
  /** The file, and what it holds. */
  file: string
  secret: string
  /** Paths as the probe takes them: `@` stands for the zero byte of a name without a place (unix(7)). */
  sockets: string[]
  /** On the machine's loopback. */
  port: number
  /** How many connections came. */
  arrivals(): number
}

/** Lays out the lures for the time of one test. */
export async function layLures(): Promise<Lures> {
  const folder = await mkdtemp(join(tmpdir(), "zg-lure-"))
  const secret = randomBytes(16).toString("hex")
  const file = join(folder, "secret")
  const path = join(folder, "socket")
  const name = `zg-lure-${secret.slice(0, 16)}`
  let count = 0
  const servers: Server[] = []
  const open = async (where: ListenOptions) => {
    const server = await listen(where, () => count++)
    servers.push(server)
    return server
  }
  const close = async () => {
    await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await chmod(folder, 0o755)
    await writeFile(file, secret, { mode: 0o644 })
    await open({ path, readableAll: true, writableAll: true })
    await open({ path: `\0${name}` })
    const { port } = (await open({ host: "127.0.0.1", port: 0 })).address() as AddressInfo
    const sockets = [path, `@${name}`]
    return { file, secret, sockets, port, arrivals: () => count, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

function listen(where: ListenOptions, onArrival: () => void): Promise<Server> {
  const server = createServer(socket => {
    onArrival()
    socket.destroy()
  })
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(where, () => resolve(server))
  })
}
