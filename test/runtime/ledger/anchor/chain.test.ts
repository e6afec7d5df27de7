import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { expect, test } from "vitest"
import { openChain } from "../../../../src/runtime/ledger/anchor/chain.ts"
import { signal } from "./anchoring.ts"
import { Anvil, whyNoAnvil } from "./anvil.ts"

/** A node that answers as it likes. */
async function node(answer: RequestListener) {
  const server = createServer(answer)
  await new Promise<void>(ready => server.listen(0, "127.0.0.1", ready))
  const { port } = server.address() as AddressInfo
  const close = async () => {
    server.closeAllConnections()
    await new Promise(closed => server.close(closed))
  }
  return { url: `http://127.0.0.1:${port}/v3/secret-token`, [Symbol.asyncDispose]: close }
}

test("a node that is not there is named, without the token in its address", async () => {
  const { url, ...gone } = await node(() => {})
  await gone[Symbol.asyncDispose]()
  const fault = await openChain(url, null, signal).catch(error => error)
  expect(fault).toMatchObject({ code: "chain-unreachable", area: "market" })
  expect(fault.message).toMatch(/^The chain at 127\.0\.0\.1:\d+ cannot be asked: .*ECONNREFUSED/)
  expect(JSON.stringify(fault)).not.toContain("secret-token")
})

test.each<[string, RequestListener, string]>([
  ["a page", (_, answer) => answer.end("<html>Welcome</html>"), "chain-unreachable"],
  ["no entrance", (_, answer) => answer.writeHead(401).end("\u001b[2Jwho are you?"), "chain-unreachable"],
  [
    "an error",
    (_, answer) =>
      answer.end(
        JSON.stringify({ jsonrpc: "2.0", id: 1, error: { code: -32_601, message: "no such method" } }),
      ),
    "chain-refused",
  ],
  [
    "no number",
    (_, answer) => answer.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result: "many" })),
    "chain-refused",
  ],
])("an address that answers with %s is no chain", async (_, answer, code) => {
  await using odd = await node(answer)
  const fault = await openChain(odd.url, null, signal).catch(error => error)
  expect(fault).toMatchObject({ code })
  expect(fault.message).not.toContain("\u001b")
  expect(JSON.stringify(fault)).not.toContain("secret-token")
})

test("a node that says nothing is left when the signal says so", async () => {
  const ending = new AbortController()
  await using silent = await node(() => ending.abort(new Error("enough")))
  await expect(openChain(silent.url, null, ending.signal)).rejects.toThrow("enough")
})

test.each(["ftp://127.0.0.1", "127.0.0.1:8545", "secret-token"])("%s is no address", async rpc => {
  const fault = await openChain(rpc, null, signal).catch(error => error)
  expect(fault).toMatchObject({ code: "bad-argument" })
  expect(JSON.stringify(fault)).not.toContain("secret-token")
})

test.skipIf(whyNoAnvil !== null)("another chain than the one that is meant is refused", async () => {
  await using anvil = await Anvil.start("--chain-id", "777")
  expect(await openChain(anvil.url, 777, signal)).toMatchObject({ id: 777 })
  await expect(openChain(anvil.url, 1, signal)).rejects.toMatchObject({
    code: "chain-mismatch",
    facts: { chain: 777, expected: 1 },
  })
})
