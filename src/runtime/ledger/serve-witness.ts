import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { Logger } from "pino"
import { vkeyOf } from "../../protocol/tlog/note.ts"
import { listen } from "../host/listen.ts"
import { Witness, type WitnessParts, witnessKey } from "./witness.ts"

export interface WitnessOptions extends Omit<WitnessParts, "onAnswer"> {
  host: string
  /** 0 takes any free port. */
  port: number
  logger: Logger
}

export interface ServedWitness {
  url: string
  /** What those who trust it are configured with. */
  vkey: string
  close(): Promise<void>
}

/** A checkpoint with 63 hashes and all the signatures that anybody would send along. */
const REQUEST_LIMIT_BYTES = 64 << 10
const REQUEST_LIMIT_MS = 10_000

/** Answers `POST /add-checkpoint` (C2SP tlog-witness). @throws Fault `port-in-use`, `address-unusable`. */
export async function serveWitness(options: WitnessOptions): Promise<ServedWitness> {
  const { host, port, logger, signer } = options
  const witness = new Witness({
    ...options,
    onAnswer: (origin, size, { status, body }) => {
      if (status === 200) logger.info({ origin, size }, "checkpoint.cosigned")
      else if (status === 409 && /^\d+\n$/.test(body))
        logger.debug({ origin, size }, "checkpoint.asked-again")
      else logger.error({ origin, size, status, reason: body.trim() }, "checkpoint.refused")
    },
  })
  const http = createServer({ requestTimeout: REQUEST_LIMIT_MS }, (request, response) => {
    void answer(witness, request, response).catch(error => {
      logger.error({ err: error }, "witness.bug")
      response.destroy()
    })
  })
  const url = await listen(http, host, port)
  return {
    url,
    vkey: vkeyOf(witnessKey(signer.publicKey)),
    close: async () => {
      http.closeAllConnections()
      await new Promise(resolve => http.close(resolve))
    },
  }
}

async function answer(witness: Witness, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const isAdding = request.method === "POST" && request.url === "/add-checkpoint"
  const text = isAdding ? await bodyOf(request) : null
  if (text === null) {
    const [status, body] = isAdding ? [413, "Too large.\n"] : [404, "POST /add-checkpoint\n"]
    response.writeHead(status as number, { "Content-Type": "text/plain" }).end(body)
    return
  }
  const { status, body, type } = await witness.add(text)
  response.writeHead(status, { "Content-Type": type }).end(body)
}

/** Null for one that is too large. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > REQUEST_LIMIT_BYTES) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("utf8")
}
