import { rm } from "node:fs/promises"
import { createServer, request, type Server } from "node:http"
import { Fault } from "../../protocol/fault.ts"
import type { Home } from "./home.ts"

const ANSWER_LIMIT_MS = 3000

/**
 * Takes the control socket, a UNIX socket in the home, where whoever may open the home may ask. It is also the lock of this home: one agent serves from it at a time.
 * @throws Fault `already-serving` when another agent answers there.
 */
export async function openControl(home: Home, status: () => unknown): Promise<AsyncDisposable> {
  if ((await askControl(home)) !== null) {
    throw new Fault("already-serving", `Another agent serves from ${home.root} already.`, {
      hint: "Look at it with `zg-agent status`, stop it, or use another ZG_HOME.",
    })
  }
  await rm(home.socket, { force: true })
  const server = createServer((_, response) => {
    response.setHeader("content-type", "application/json").end(JSON.stringify(status()))
  })
  await listen(server, home.socket)
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

/**
 * What the serving agent says of itself, or null when none serves from this home.
 * @throws Fault `agent-silent` when something holds the socket without answering: it may still be running shards.
 */
export function askControl(home: Home): Promise<unknown | null> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown | null>()
  const asked = request(
    { socketPath: home.socket, path: "/status", timeout: ANSWER_LIMIT_MS },
    async response => {
      let text = ""
      for await (const piece of response.setEncoding("utf8")) text += piece
      resolve(JSON.parse(text))
    },
  )
  asked.on("timeout", () => asked.destroy(new Error("timed out")))
  asked.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ECONNREFUSED") resolve(null)
    else reject(silent(home, error))
  })
  asked.end()
  return promise
}

function silent(home: Home, cause: NodeJS.ErrnoException): Fault {
  return new Fault(
    "agent-silent",
    `An agent holds ${home.socket} but does not answer: ${cause.code ?? cause.message}.`,
    {
      hint: "See whether the process hangs or belongs to another user; end it, then try again.",
      facts: { socket: home.socket },
      cause,
    },
  )
}

function listen(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once("error", reject)
  server.listen(path, resolve)
  return promise
}
