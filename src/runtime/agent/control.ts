import { chmod, rm } from "node:fs/promises"
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import { Fault, isFault, isFaultCode } from "../../protocol/fault.ts"
import { type Lock, lockFolder } from "../../store/lock.ts"
import type { Home } from "./home.ts"
import type { ModeReport } from "./status.ts"

const ANSWER_LIMIT_MS = 3000
/** A pause answers when every container has had its grace and is removed. */
const CHANGE_LIMIT_MS = 120_000
/** For the answers that are on their way when the agent ends. */
const LAST_ANSWERS_MS = 1000
const CONFLICT = 409

/** What the owner can ask of a serving agent. */
export const VERBS = ["pause", "resume", "drain"] as const
export type Verb = (typeof VERBS)[number]

export type Verbs = { [Name in Verb]: () => Promise<ModeReport> }

/**
 * Takes a home for this process alone, until it is released or the process ends, however it ends.
 * @throws Fault `already-serving` when another agent has it; `agent-silent` when one holds the socket without answering.
 */
export async function claimHome(home: Home): Promise<Lock> {
  if ((await askControl(home)) === null) return lockFolder(home.root)
  throw new Fault("already-serving", `Another agent serves from ${home.root} already.`, {
    hint: "Look at it with `zg-agent status`, stop it, or use another ZG_HOME.",
  })
}

/**
 * Opens the control socket, a UNIX socket in the home, where its owner may ask and command. Whoever opens it has claimed the home: a socket
 * that is there was left by an agent that was killed.
 * @param verbs none, for whoever can only be asked.
 */
export async function openControl(
  home: Home,
  status: () => unknown,
  verbs: Partial<Verbs> = {},
): Promise<AsyncDisposable> {
  await rm(home.socket, { force: true })
  const server = createServer((asked, response) => {
    answer(asked, status, verbs).then(
      ({ code, body }) => reply(response, code, body),
      // A bug in a command ends that command alone; whoever gave it sees it.
      error => reply(response, 500, { bug: String(error) }),
    )
  })
  await listen(server, home.socket)
  await chmod(home.socket, 0o600)
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise(resolve => server.close(resolve))
      const late = setTimeout(() => server.closeAllConnections(), LAST_ANSWERS_MS)
      await closed
      clearTimeout(late)
    },
  }
}

/**
 * What the serving agent says of itself, or null when none serves from this home.
 * @throws Fault `agent-silent` when something holds the socket without answering: it may still be running shards.
 */
export function askControl(home: Home): Promise<unknown | null> {
  return call(home, { method: "GET", path: "/status", timeout: ANSWER_LIMIT_MS })
}

/** @throws Fault `not-serving`, `agent-silent`, or what the agent answers with. */
export async function commandAgent(home: Home, verb: Verb, signal: AbortSignal): Promise<ModeReport> {
  const answered = await call(home, { method: "POST", path: `/${verb}`, timeout: CHANGE_LIMIT_MS, signal })
  if (answered !== null) return answered as ModeReport
  throw new Fault("not-serving", `No agent serves from ${home.root}.`, {
    hint: "Start it with `zg-agent serve`, or name its home with --home. A pause from before is still in force at the next start.",
    facts: { home: home.root },
  })
}

interface Call {
  method: "GET" | "POST"
  path: string
  /** Milliseconds of silence. */
  timeout: number
  signal?: AbortSignal
}

/** A connection that breaks meets an agent that ends or begins: it is asked once more, since no verb does harm twice. */
async function call(home: Home, options: Call): Promise<unknown | null> {
  try {
    return await callOnce(home, options)
  } catch (error) {
    if (!isBroken(error)) throw error
    await sleep(LAST_ANSWERS_MS, undefined, options.signal && { signal: options.signal })
    return callOnce(home, options)
  }
}

function isBroken(error: unknown): boolean {
  if (!isFault(error, "agent-silent")) return false
  return ["EPIPE", "ECONNRESET"].includes((error.cause as NodeJS.ErrnoException).code ?? "")
}

function callOnce(home: Home, { signal, ...options }: Call): Promise<unknown | null> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown | null>()
  const asked = request(
    { socketPath: home.socket, ...options, ...(signal && { signal }) },
    response =>
      void read(response).then(resolve, error => reject(isFault(error) ? error : silent(home, error))),
  )
  asked.on("timeout", () => asked.destroy(new Error("timed out")))
  asked.on("error", (error: NodeJS.ErrnoException) => {
    if (signal?.aborted) reject(signal.reason)
    else if (error.code === "ENOENT" || error.code === "ECONNREFUSED") resolve(null)
    else reject(silent(home, error))
  })
  asked.end()
  return promise
}

async function read(response: IncomingMessage): Promise<unknown> {
  let text = ""
  for await (const piece of response.setEncoding("utf8")) text += piece
  const body = JSON.parse(text)
  if (response.statusCode === 200) return body
  const { error } = body as { error?: { code: string; message: string; hint: string } }
  if (error && isFaultCode(error.code)) throw new Fault(error.code, error.message, { hint: error.hint })
  throw new Error(`status ${response.statusCode}: ${text.slice(0, 300)}`)
}

interface Answered {
  code: number
  body: unknown
}

async function answer(
  { method, url = "" }: IncomingMessage,
  status: () => unknown,
  verbs: Partial<Verbs>,
): Promise<Answered> {
  if (method === "GET" && url === "/status") return { code: 200, body: status() }
  const verb = method === "POST" ? verbs[url.slice(1) as Verb] : undefined
  if (!verb || !VERBS.some(name => url === `/${name}`)) return { code: 404, body: { known: VERBS } }
  try {
    return { code: 200, body: await verb() }
  } catch (error) {
    if (!isFault(error)) throw error
    return { code: CONFLICT, body: { error } }
  }
}

function reply(response: ServerResponse, code: number, body: unknown): void {
  response
    .writeHead(code, { "content-type": "application/json", connection: "close" })
    .end(JSON.stringify(body))
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
