import { createHash } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Bundle } from "../../protocol/statement.ts"
import type { NoteKey } from "../../protocol/tlog/note.ts"
import { vkeyOf } from "../../protocol/tlog/note.ts"
import type { Database } from "../../store/database.ts"
import { agentList, agentPage } from "./agents.ts"
import { readAsset, SCRIPT } from "./assets.ts"
import { auditPage } from "./audits.ts"
import { entryList, entryPage } from "./entries.ts"
import { html } from "./html.ts"
import { jobList, jobPage } from "./jobs.ts"
import { type Content, layout, type Site } from "./layout.ts"
import { LookUp } from "./look-up.ts"
import { overview } from "./overview.ts"
import { findRoute, type Route } from "./route.ts"
import type { Sources } from "./sources.ts"
import { Totals } from "./totals.ts"

/** Nothing but the marketplace's own files, and nobody may frame the page or be told where its reader came from. */
const HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  // The state changes at any time; who has the same already is told so.
  "Cache-Control": "no-cache",
}

/** Pages for people about all that is public. It reads, and changes nothing. */
export class Explorer {
  readonly #sources: Sources
  readonly #key: NoteKey

  constructor(exchange: Sources["exchange"], db: Database, key: NoteKey) {
    this.#sources = { exchange, lookUp: new LookUp(db.sql), totals: new Totals(db.sql), vkey: vkeyOf(key) }
    this.#key = key
  }

  /** Answers a request; also one for a page that is not there. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "/", headers } = request
    const site = this.#site(headers.host)
    if (method !== "GET" && method !== "HEAD") {
      const page = layout(site, WRONG_METHOD).text
      return send(request, response, {
        status: 405,
        type: PAGE_TYPE,
        body: page,
        headers: { Allow: "GET, HEAD" },
      })
    }
    const route = findRoute(new URL(url, "http://market"))
    if (route?.to === "asset") {
      const asset = await readAsset(route.path)
      if (asset) return send(request, response, { status: 200, ...asset })
    }
    const signed = route && this.#signed(route)
    if (signed) {
      const body = JSON.stringify(signed)
      return send(request, response, { status: 200, type: "application/json", body })
    }
    const content = route === null ? null : this.#content(route, site)
    const body = layout(site, content ?? NOT_THERE).text
    return send(request, response, { status: content === null ? 404 : 200, type: PAGE_TYPE, body })
  }

  /** What the marketplace has signed, as it was signed; null for a page, or for what is not there. */
  #signed(route: Route): Bundle | Bundle[] | null {
    const { commitments, canaries } = this.#sources.exchange
    if (route.to === "verdict") return commitments.verdict(route.proof)
    const all = route.to === "canaries" ? canaries.signed(route.job) : []
    return all.length > 0 ? all : null
  }

  #content(route: Route, site: Site): Content | null {
    switch (route.to) {
      case "overview":
        return overview(this.#sources, site)
      case "agents":
        return agentList(this.#sources, route.from)
      case "agent":
        return agentPage(this.#sources, route.id)
      case "jobs":
        return jobList(this.#sources, route.from)
      case "job":
        return jobPage(this.#sources, route.id)
      case "audit":
        return auditPage(this.#sources, route.proof, site)
      case "entries":
        return entryList(this.#sources, route.from)
      case "entry":
        return entryPage(this.#sources, route.index)
      case "asset":
      case "verdict":
      case "canaries":
        return null
      default:
        return route satisfies never
    }
  }

  #site(host = ""): Site {
    const isHost = /^[A-Za-z0-9.:[\]-]{1,255}$/.test(host)
    const { name, key } = this.#key
    return { name, key, vkey: vkeyOf(this.#key), script: SCRIPT, host: isHost ? host : "ADDRESS" }
  }
}

const PAGE_TYPE = "text/html; charset=utf-8"

const NOT_THERE: Content = {
  title: "There is no such page",
  section: null,
  main: html`<p>What it showed may never have been here, or its address is not whole. Go on from the <a href="/">overview</a>.</p>`,
}

const WRONG_METHOD: Content = {
  title: "Pages are read only",
  section: null,
  main: html`<p>Ask with GET. Go on from the <a href="/">overview</a>.</p>`,
}

interface Answer {
  status: number
  type: string
  body: string
  headers?: Record<string, string>
}

function send(
  { method, headers: asked }: IncomingMessage,
  response: ServerResponse,
  { status, type, body, headers }: Answer,
): void {
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`
  const known = (asked["if-none-match"] ?? "").split(/\s*,\s*/).map(tag => tag.replace(/^W\//, ""))
  const all = { ...HEADERS, ...headers, ETag: etag }
  if (status === 200 && known.includes(etag)) {
    response.writeHead(304, all).end()
    return
  }
  response.writeHead(status, { ...all, "Content-Type": type, "Content-Length": Buffer.byteLength(body) })
  response.end(method === "HEAD" ? undefined : body)
}
