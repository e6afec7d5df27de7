import { lookup } from "node:dns/promises"
import { connect } from "node:net"
import { loadIdentity } from "../../../store/identity.ts"
import { openSession } from "../../market/session.ts"
import { type Finding, failed, ok, skipped, warning } from "../check.ts"
import type { Inspection } from "../inspection.ts"

const TCP_LIMIT_MS = 10_000

export const marketplace: Inspection = {
  id: "marketplace",
  title: "Marketplace",
  limitMs: 30_000,
  async look(site, signal) {
    const settings = await site.settings().catch(() => null)
    if (settings === null) return skipped("needs a registration")
    const { identity } = await site.home()
    const signer = await loadIdentity(identity).catch(() => null)
    if (signer === null) return skipped("needs an identity that can be used")
    const { host, port } = addressOf(settings.market.url)
    const address = await lookup(host).catch((error: NodeJS.ErrnoException) => error)
    if (address instanceof Error) return unresolved(host, address)
    const started = performance.now()
    const refusal = await knock(address.address, port, signal)
    if (refusal !== null) return unreachable(`${host} (${address.address}), port ${port}`, refusal)
    const connectMs = performance.now() - started
    // A session that announces no capacity takes nothing from the agent that serves.
    const { url, publicKey: pinned } = settings.market
    const { wire, registered } = await openSession({ url, signer, agent: site.agent, pinned }, signal)
    await wire.close()
    if (!registered) return forgotten(url)
    const sessionMs = Math.round(performance.now() - started)
    return ok(
      `${url} at ${address.address}: connected in ${Math.round(connectMs)} ms, signed in after ${sessionMs} ms`,
    )
  },
}

function addressOf(marketUrl: string): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(marketUrl)
  // URLs put brackets around an IPv6 address; resolvers do not know them.
  const host = hostname.replace(/^\[|\]$/g, "")
  return { host, port: Number(port) || (protocol === "wss:" ? 443 : 80) }
}

/** Null when the port answers, else what came instead. */
function knock(host: string, port: number, signal: AbortSignal): Promise<string | null> {
  return new Promise(resolve => {
    const socket = connect({ host, port, timeout: TCP_LIMIT_MS })
    const settle = (refusal: string | null) => {
      socket.destroy()
      resolve(refusal)
    }
    socket.on("connect", () => settle(null))
    socket.on("timeout", () => settle(`no answer within ${TCP_LIMIT_MS / 1000} s`))
    socket.on("error", ({ code, message }: NodeJS.ErrnoException) => settle(code ?? message))
    signal.addEventListener("abort", () => settle("aborted"), { once: true })
  })
}

function unresolved(host: string, { code }: NodeJS.ErrnoException): Finding {
  return failed(`The name ${host} cannot be resolved (${code ?? "no answer"}).`, {
    remedy: "Check the marketplace's address, and this machine's connection and DNS server.",
    command: `getent hosts ${host}`,
  })
}

function unreachable(place: string, refusal: string): Finding {
  return failed(`No connection to ${place}: ${refusal}.`, {
    remedy:
      "Check this machine's connection, a firewall's rules for outgoing connections, and that the marketplace runs.",
  })
}

function forgotten(url: string): Finding {
  return warning(`The marketplace at ${url} answers, but does not know this identity.`, {
    remedy: "Register again; it is harmless.",
    command: `zg-agent register --market ${url}`,
  })
}
