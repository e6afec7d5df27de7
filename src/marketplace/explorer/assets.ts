import { readFile } from "node:fs/promises"
import { stripTypeScriptTypes } from "node:module"
import { STYLE } from "./style.ts"

/**
 * Modules for the browser, below src: those of the page, and those with which everybody checks a ledger, as they are. Only what hashes is
 * another one there, because `node:crypto` is not.
 */
const MODULES: Record<string, string> = {
  "marketplace/explorer/browser/page": "marketplace/explorer/browser/page",
  "marketplace/explorer/browser/check": "marketplace/explorer/browser/check",
  "marketplace/explorer/browser/note": "marketplace/explorer/browser/note",
  "marketplace/explorer/browser/problem": "marketplace/explorer/browser/problem",
  "marketplace/explorer/browser/visit": "marketplace/explorer/browser/visit",
  "marketplace/explorer/entry-view": "marketplace/explorer/entry-view",
  "marketplace/explorer/html": "marketplace/explorer/html",
  "marketplace/explorer/inline": "marketplace/explorer/inline",
  "protocol/format-credits": "protocol/format-credits",
  "protocol/tlog/hash": "marketplace/explorer/browser/hash",
  "protocol/tlog/prove": "protocol/tlog/prove",
  "protocol/tlog/tile": "protocol/tlog/tile",
  "protocol/tlog/tree": "protocol/tlog/tree",
}

const SRC = new URL("../../", import.meta.url)
/** `.js` in the package, `.ts` where the sources are run as they are. */
const EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf("."))

/** Where the page's script is. */
export const SCRIPT = `/explorer/marketplace/explorer/browser/page${EXTENSION}`

export interface Asset {
  type: string
  body: string
}

/** What the pages load. @param path below `/explorer/`. @returns null where there is nothing. */
export async function readAsset(path: string): Promise<Asset | null> {
  if (path === "style.css") return { type: "text/css; charset=utf-8", body: STYLE }
  const name = path.endsWith(EXTENSION) ? path.slice(0, -EXTENSION.length) : ""
  const file = Object.hasOwn(MODULES, name) ? MODULES[name] : undefined
  if (file === undefined) return null
  const source = await readFile(new URL(`${file}${EXTENSION}`, SRC), "utf8")
  const body = EXTENSION === ".ts" ? stripTypeScriptTypes(source) : source
  return { type: "text/javascript; charset=utf-8", body }
}
