import { randomBytes } from "node:crypto"
import { request } from "node:http"
import { afterAll, beforeAll, expect, test } from "vitest"
import { digestOf } from "../../src/protocol/digest.ts"
import { type Client, connect, enrol, newIdentity } from "./client.ts"
import { Embedded, FOREIGN } from "./market.ts"

let embedded: Embedded | undefined
let client: Client

beforeAll(async () => {
  embedded = FOREIGN ? undefined : await Embedded.start()
  client = await enrol(FOREIGN ?? embedded?.url ?? "")
})
afterAll(async () => {
  await client.close()
  await embedded?.stop()
})

async function start(): Promise<string> {
  const response = await client.fetch("/v2/contract/blobs/uploads/", { method: "POST" })
  expect(response.status).toBe(202)
  return response.headers.get("location") ?? ""
}

function patch(location: string, body: Uint8Array<ArrayBuffer>, offset?: number): Promise<Response> {
  const range = offset === undefined ? {} : { "Content-Range": `${offset}-${offset + body.length - 1}` }
  return client.fetch(location, { method: "PATCH", body, headers: range })
}

interface OciErrors {
  errors: [{ code: string; message: string }]
}

const errorCode = async (response: Response) => ((await response.json()) as OciErrors).errors[0].code

test.each([
  ["no credentials", {}],
  ["a wrong token", { Authorization: "Bearer nonsense" }],
  ["a wrong password", { Authorization: `Basic ${btoa("me:nonsense")}` }],
])("the registry asks for credentials: %s", async (_, headers) => {
  const response = await fetch(`${client.http}/v2/`, { headers })
  expect(response.status).toBe(401)
  expect(response.headers.get("www-authenticate")).toBe('Basic realm="zg-agent"')
  expect(await errorCode(response)).toBe("UNAUTHORIZED")
  const digest = digestOf("x")
  for (const method of ["GET", "PUT", "POST"])
    expect((await fetch(`${client.http}/v2/a/blobs/${digest}`, { method, headers })).status).toBe(401)
})

test("a token is taken as bearer and as password, until its session ends", async () => {
  const other = await enrol(FOREIGN ?? embedded?.url ?? "")
  const basic = { Authorization: `Basic ${btoa(`me:${other.token}`)}` }
  expect((await other.fetch("/v2/")).status).toBe(200)
  expect((await fetch(`${client.http}/v2/`, { headers: basic })).status).toBe(200)
  await other.close()
  await expect.poll(async () => (await fetch(`${client.http}/v2/`, { headers: basic })).status).toBe(401)
})

test("the token of a stranger opens nothing until the identity is registered", async () => {
  const stranger = await connect(FOREIGN ?? embedded?.url ?? "", newIdentity())
  expect((await stranger.fetch("/v2/")).status).toBe(401)
  expect((await stranger.fetch("/v2/a/blobs/uploads/", { method: "POST" })).status).toBe(401)
  await stranger.close()
})

test("an upload in pieces is resumed at the offset that the market tells", async () => {
  const bytes = randomBytes(300_000)
  const digest = digestOf(bytes)
  const location = await start()
  expect((await client.fetch(location)).headers.get("range")).toBeNull()
  const first = await patch(location, bytes.subarray(0, 100_000), 0)
  expect([first.status, first.headers.get("range")]).toEqual([202, "0-99999"])
  const wrong = await patch(location, bytes.subarray(50_000, 60_000), 50_000)
  expect([wrong.status, wrong.headers.get("range")]).toEqual([416, "0-99999"])
  const status = await client.fetch(location)
  expect([status.status, status.headers.get("range")]).toEqual([204, "0-99999"])
  expect((await patch(location, bytes.subarray(100_000), 100_000)).status).toBe(202)
  const done = await client.fetch(`${location}?digest=${digest}`, { method: "PUT" })
  expect(done.status).toBe(201)
  expect(done.headers.get("docker-content-digest")).toBe(digest)
  const read = await client.fetch(done.headers.get("location") ?? "")
  expect(Buffer.from(await read.arrayBuffer()).equals(bytes)).toBe(true)
  // The answer may have been lost, so the same again is success.
  expect((await client.fetch(`${location}?digest=${digest}`, { method: "PUT" })).status).toBe(201)
})

test("a connection that breaks leaves what arrived", async () => {
  const bytes = randomBytes(400_000)
  const location = await start()
  await breakOff(location, bytes.subarray(0, 250_000))
  const received = async () =>
    Number((await client.fetch(location)).headers.get("range")?.split("-")[1] ?? -1) + 1
  await expect.poll(received, { timeout: 5_000 }).toBeGreaterThan(0)
  const offset = await received()
  expect((await patch(location, bytes.subarray(offset), offset)).status).toBe(202)
  const digest = digestOf(bytes)
  expect((await client.fetch(`${location}?digest=${digest}`, { method: "PUT" })).status).toBe(201)
})

/** Announces more than it sends, and hangs up once the bytes have left. */
function breakOff(location: string, bytes: Uint8Array): Promise<void> {
  return new Promise(resolve => {
    const upload = request(`${client.http}${location}`, {
      method: "PATCH",
      headers: { Authorization: `Bearer ${client.token}`, "Content-Length": 400_000 },
    })
    upload.on("error", () => {})
    upload.on("close", resolve)
    upload.write(bytes, () => setTimeout(() => upload.destroy(), 100))
  })
}

test("a wrong digest is refused and the upload is gone", async () => {
  const location = await start()
  await patch(location, randomBytes(1000))
  const wrong = await client.fetch(`${location}?digest=${digestOf("other")}`, { method: "PUT" })
  expect(wrong.status).toBe(400)
  expect(await errorCode(wrong)).toBe("DIGEST_INVALID")
  expect((await client.fetch(`/v2/contract/blobs/${digestOf("other")}`)).status).toBe(404)
  const gone = await client.fetch(location)
  expect(gone.status).toBe(404)
})

test("an upload can be cancelled", async () => {
  const location = await start()
  await patch(location, randomBytes(10))
  expect((await client.fetch(location, { method: "DELETE" })).status).toBe(204)
  const again = await patch(location, randomBytes(10))
  expect([again.status, await errorCode(again)]).toEqual([404, "BLOB_UPLOAD_UNKNOWN"])
})

test.each([
  ["bytes=0-9", 206, 0, 10],
  ["bytes=990-", 206, 990, 1000],
  ["bytes=-10", 206, 990, 1000],
  ["bytes=900-5000", 206, 900, 1000],
  ["lines=1-2", 200, 0, 1000],
])("range %s is answered by %i", async (range, status, from, to) => {
  const bytes = Buffer.alloc(1000, 0).map((_, index) => index % 251)
  const { digest } = await client.upload(bytes)
  const response = await client.fetch(`/v2/contract/blobs/${digest}`, { headers: { Range: range } })
  expect(response.status).toBe(status)
  if (status === 206) expect(response.headers.get("content-range")).toBe(`bytes ${from}-${to - 1}/1000`)
  expect(Buffer.from(await response.arrayBuffer()).equals(bytes.subarray(from, to))).toBe(true)
})

test("a range outside is refused with the size", async () => {
  const { digest } = await client.upload("ten bytes!")
  const headers = { Range: "bytes=10-" }
  const response = await client.fetch(`/v2/contract/blobs/${digest}`, { headers })
  expect(response.status).toBe(416)
  expect(response.headers.get("content-range")).toBe("bytes */10")
})

test("HEAD tells the size, and a blob that is here is mounted without a byte", async () => {
  const { digest } = await client.upload("here already")
  const head = await client.fetch(`/v2/contract/blobs/${digest}`, { method: "HEAD" })
  expect([head.status, head.headers.get("content-length")]).toEqual([200, "12"])
  const mount = (of: string) =>
    client.fetch(`/v2/other/blobs/uploads/?mount=${of}&from=contract`, { method: "POST" })
  expect((await mount(digest)).status).toBe(201)
  expect((await mount(digestOf("not here"))).status).toBe(202)
})

test("a manifest keeps its bytes and its media type, under tag and digest", async () => {
  const config = await client.upload("{}")
  const mediaType = "application/vnd.docker.distribution.manifest.v2+json"
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [] }, null, 3)
  const put = (reference: string, body: string) =>
    client.fetch(`/v2/contract/image/manifests/${reference}`, {
      method: "PUT",
      headers: { "Content-Type": mediaType },
      body,
    })
  expect((await put("v1", manifest)).status).toBe(201)
  for (const reference of ["v1", digestOf(manifest)]) {
    const got = await client.fetch(`/v2/contract/image/manifests/${reference}`)
    expect(got.headers.get("content-type")).toBe(mediaType)
    expect(await got.text()).toBe(manifest)
  }
  const list = await client.fetch("/v2/contract/image/tags/list")
  expect(await list.json()).toEqual({ name: "contract/image", tags: ["v1"] })
  const lacking = JSON.stringify({ config: { digest: digestOf("lacking") }, layers: [] })
  expect(await errorCode(await put("v2", lacking))).toBe("MANIFEST_BLOB_UNKNOWN")
  expect(await errorCode(await put("v2", "not json"))).toBe("MANIFEST_INVALID")
  expect(await errorCode(await put(digestOf("else"), manifest))).toBe("DIGEST_INVALID")
})

test("what refers to a manifest is listed with it, all of it or of one type", async () => {
  const config = await client.upload("{}")
  const subject = {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: digestOf(randomBytes(8)),
    size: 8,
  }
  const refer = async (more: object) => {
    const manifest = { schemaVersion: 2, config, layers: [], subject, ...more }
    const body = JSON.stringify(manifest)
    const response = await client.fetch(`/v2/contract/signed/manifests/${digestOf(body)}`, {
      method: "PUT",
      headers: { "Content-Type": "application/vnd.oci.image.manifest.v1+json" },
      body,
    })
    expect([response.status, response.headers.get("oci-subject")]).toEqual([201, subject.digest])
    return { digest: digestOf(body), size: body.length }
  }
  const bundle = await refer({ artifactType: "application/bundle", annotations: { of: "a signature" } })
  const bill = await refer({ config: { ...config, mediaType: "application/bill" } })
  const list = async (query = "", name = "contract/signed") => {
    const response = await client.fetch(`/v2/${name}/referrers/${subject.digest}${query}`)
    const { manifests } = (await response.json()) as { manifests: unknown[] }
    return { response, manifests }
  }
  const all = await list()
  expect(all.response.headers.get("content-type")).toBe("application/vnd.oci.image.index.v1+json")
  const mediaType = "application/vnd.oci.image.manifest.v1+json"
  const listed = {
    ...bundle,
    mediaType,
    artifactType: "application/bundle",
    annotations: { of: "a signature" },
  }
  expect(all.manifests).toHaveLength(2)
  expect(all.manifests).toEqual(
    expect.arrayContaining([
      listed,
      { ...bill, mediaType, artifactType: "application/bill", annotations: {} },
    ]),
  )
  const filtered = await list("?artifactType=application/bundle")
  expect(filtered.response.headers.get("oci-filters-applied")).toBe("artifactType")
  expect(filtered.manifests).toEqual([listed])
  expect((await list("", "contract/other")).manifests).toEqual([])
  expect((await list("?artifactType=application/none")).manifests).toEqual([])
})

test.each([
  ["GET", "/v2/contract/manifests/nothing", 404, "MANIFEST_UNKNOWN"],
  ["GET", `/v2/contract/blobs/${digestOf("nothing")}`, 404, "BLOB_UNKNOWN"],
  ["GET", "/v2/contract/blobs/sha256:short", 400, "DIGEST_INVALID"],
  ["GET", "/v2/UPPER/manifests/v1", 400, "NAME_INVALID"],
  ["DELETE", "/v2/contract/manifests/v1", 405, "UNSUPPORTED"],
  ["GET", "/v2/contract/referrers/v1", 400, "DIGEST_INVALID"],
  ["GET", `/v2/contract/blobs/..%2f..%2fmarket.pem`, 400, "DIGEST_INVALID"],
])("%s %s is answered by %i", async (method, path, status, code) => {
  const response = await client.fetch(path, { method })
  expect([response.status, await errorCode(response)]).toEqual([status, code])
})

test("healthz answers supervisors without credentials", async () => {
  const response = await fetch(`${client.http}/healthz`)
  expect([response.status, await response.text()]).toEqual([200, "ok\n"])
})
