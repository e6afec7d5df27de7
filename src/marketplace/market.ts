import { once } from "node:events"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { Fault } from "../protocol/fault.ts"
import type { KeyId } from "../protocol/keys.ts"
import { ledgerKey } from "../protocol/ledger-proof.ts"
import { vkeyOf } from "../protocol/tlog/note.ts"
import { BlobStore } from "../store/blob-store.ts"
import { Database } from "../store/database.ts"
import { ensureIdentity } from "../store/identity.ts"
import { lockFolder } from "../store/lock.ts"
import { openBook } from "./book/book.ts"
import { steadyClock } from "./clock.ts"
import { Explorer } from "./explorer/explorer.ts"
import { openGateway } from "./gateway/gateway.ts"
import { Roster } from "./gateway/roster.ts"
import { type Site, serveHttp } from "./http.ts"
import { MARKET_DEFAULTS, type MarketOptions, type Terms } from "./options.ts"
import { discardOldUploads } from "./registry/uploads.ts"
import { MIGRATIONS } from "./schema.ts"

export interface Market {
  /** Where agents and buyers connect, such as `ws://127.0.0.1:7464`; the registry is at the same host and port. */
  url: string
  keyId: KeyId
  /** The key under its ledger's checkpoints, as those who check them want it. */
  ledgerKey: string
  /** Where people look around, such as `http://127.0.0.1:7464/`; null where there are no pages. */
  explorer: string | null
  close(): Promise<void>
}

/**
 * Starts a marketplace: gateway and registry on one port, the state in one folder, from which a later start goes on.
 * @throws Fault `already-serving`, `port-in-use`, `address-unusable`, `identity-unreadable`, `ledger-forked`
 */
export async function startMarket(options: MarketOptions): Promise<Market> {
  const { root, host, log, witnesses = [], clock = steadyClock() } = options
  const ledgerFolder = join(root, "ledger")
  // What is open when the start fails is closed again: a port that is held would keep the process alive.
  await using opened = new AsyncDisposableStack()
  opened.adopt(lockFolder(root), lock => lock.release())
  const identity = await ensureIdentity(join(root, "market.pem"))
  const http = opened.adopt(await listen(options), closeServer)
  const site = Promise.withResolvers<Site>()
  const requestsDone = serveHttp(http, site.promise, log)
  const db = opened.adopt(new Database(join(root, "market.sqlite"), MIGRATIONS), open => open.close())
  const blobs = new BlobStore(join(root, "blobs"))
  const roster = new Roster()
  const terms = termsOf(options)
  const book = await openBook({ db, blobs, identity, roster, clock, log, terms, ledgerFolder, witnesses })
  const gateway = openGateway(http, book.exchange)
  const registry = {
    db,
    blobs,
    uploads: new Map(),
    admits: (token: string) => {
      const agent = roster.holderOf(token)
      return agent !== undefined && book.exchange.identities.has(agent)
    },
    clock,
    log,
  }
  await discardOldUploads(registry)
  const key = ledgerKey(identity.publicKey)
  const explorer = options.explorer === false ? null : new Explorer(book.exchange, db, key)
  site.resolve({ registry, ledgerFolder, explorer })
  const url = `ws://${host.includes(":") ? `[${host}]` : host}:${(http.address() as AddressInfo).port}`
  log.info({ event: "market.started", url, keyId: identity.keyId })
  const parts = opened.move()
  return {
    url,
    keyId: identity.keyId,
    ledgerKey: vkeyOf(key),
    explorer: explorer && `${url.replace(/^ws/, "http")}/`,
    close: async () => {
      await gateway.close()
      await book.close()
      await closeServer(http)
      await requestsDone()
      await parts.disposeAsync()
      log.info({ event: "market.stopped" })
    },
  }
}

function termsOf(options: MarketOptions): Terms {
  const set = Object.entries(options).filter(
    ([name, value]) => name in MARKET_DEFAULTS && value !== undefined,
  )
  return { ...MARKET_DEFAULTS, ...Object.fromEntries(set) }
}

async function listen({ host, port }: Pick<MarketOptions, "host" | "port">): Promise<Server> {
  const http = createServer()
  try {
    http.listen(port, host)
    await once(http, "listening")
    return http
  } catch (cause) {
    throw cannotListen(host, port, cause)
  }
}

async function closeServer(http: Server): Promise<void> {
  http.closeAllConnections()
  await new Promise(resolve => http.close(resolve))
}

function cannotListen(host: string, port: number, cause: unknown): Fault {
  const code = (cause as NodeJS.ErrnoException).code ?? "unknown"
  const facts = { host, port, code }
  if (code === "EADDRINUSE") {
    const hint = "Choose another port, or stop what listens there; port 0 takes any free one."
    return new Fault("port-in-use", `Port ${port} of ${host} is in use.`, { hint, facts, cause })
  }
  return new Fault("address-unusable", `Nothing can listen at ${host}, port ${port}: ${code}.`, {
    hint: "Give an address of this machine, such as 127.0.0.1 or 0.0.0.0, and a port of 1024 or more unless you are root.",
    facts,
    cause,
  })
}
