import { access } from "node:fs/promises"
import { createServer } from "node:net"
import { type Finding, ok, skipped, together, warning } from "../check.ts"
import type { Inspection } from "../inspection.ts"

/** Where `serve` tells its metrics, on this machine alone. */
const METRICS_PORT = 9464

export interface Ports {
  /** Whether the metrics' port is free; an error code where it could not be tried. */
  metrics: "free" | "taken" | string
  /** Process id of the agent that serves from this home; null when none does. */
  servingPid: number | null
  /** The control socket's path, where a file lies there. */
  socket: string | null
}

export const ports: Inspection = {
  id: "ports",
  title: "Ports",
  async look(site) {
    const home = await site.home().catch(() => null)
    if (home === null) return skipped("needs the state folder")
    const serving = await site.serving()
    const hasSocket = await access(home.socket).then(
      () => true,
      () => false,
    )
    return judgePorts({
      metrics: await tryPort(METRICS_PORT),
      servingPid: serving?.pid ?? null,
      socket: hasSocket ? home.socket : null,
    })
  },
}

function tryPort(port: number): Promise<string> {
  return new Promise(resolve => {
    const server = createServer()
    server.on("error", ({ code }: NodeJS.ErrnoException) =>
      resolve(code === "EADDRINUSE" ? "taken" : (code ?? "?")),
    )
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve("free")))
  })
}

export function judgePorts({ metrics, servingPid, socket }: Ports): Finding {
  const served = servingPid === null ? "" : `; the agent that serves is process ${servingPid}`
  const found = [ok(`no port needs to be open from outside${served}`), judgeMetrics(metrics, servingPid)]
  if (socket !== null && servingPid === null) found.push(staleSocket(socket))
  const troubles = found.filter(({ state }) => state !== "ok")
  return troubles.length > 0 ? together(troubles) : ok(found.map(({ fact }) => fact).join("; "))
}

function judgeMetrics(metrics: string, servingPid: number | null): Finding {
  if (metrics === "free") return ok(`127.0.0.1:${METRICS_PORT} is free for metrics`)
  if (metrics === "taken" && servingPid !== null) return ok(`127.0.0.1:${METRICS_PORT} is in use`)
  const why = metrics === "taken" ? "is used by another program" : `cannot be used (${metrics})`
  return warning(`127.0.0.1:${METRICS_PORT}, where the agent tells its metrics, ${why}.`, {
    remedy: "See which program has it, and end that or give the metrics another port.",
    command: `sudo ss -ltnp 'sport = :${METRICS_PORT}'`,
  })
}

function staleSocket(path: string): Finding {
  return warning(`${path} is left over from an agent that ended without order.`, {
    remedy: "It harms nothing, and the next `zg-agent serve` replaces it.",
    command: `rm ${path}`,
    fixes: [{ kind: "remove-socket", path }],
  })
}
