import { once } from "node:events"
import type { Server } from "node:http"
import type { AddressInfo } from "node:net"
import { Fault } from "../../protocol/fault.ts"

/**
 * Has a server listen at an address of this machine. @param port 0 takes any free one.
 * @returns the address, such as `http://127.0.0.1:9464`. @throws Fault `port-in-use`, `address-unusable`.
 */
export async function listen(server: Server, host: string, port: number): Promise<string> {
  try {
    server.listen(port, host)
    await once(server, "listening")
  } catch (cause) {
    throw cannotListen(host, port, cause)
  }
  const { port: taken } = server.address() as AddressInfo
  return `http://${host.includes(":") ? `[${host}]` : host}:${taken}`
}

function cannotListen(host: string, port: number, cause: unknown): Fault {
  const code = (cause as NodeJS.ErrnoException).code ?? "unknown"
  const facts = { host, port, code }
  if (code === "EADDRINUSE") {
    const hint = "Choose another port, or stop what listens there; port 0 takes any free one."
    return new Fault("port-in-use", `Port ${port} of ${host} is in use.`, { hint, facts, cause })
  }
  return new Fault("address-unusable", `Nothing can listen at ${host}, port ${port}: ${code}.`, {
    hint: "Give an address of this machine, such as 127.0.0.1, and a port of 1024 or more unless you are root.",
    facts,
    cause,
  })
}
