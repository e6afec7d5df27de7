import { generateKeyPairSync, type KeyObject, sign } from "node:crypto"
import { createServer, type IncomingMessage, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { type Digest, digestOf, hexOf } from "../../../src/protocol/digest.ts"
import type { PinnedKey } from "../../../src/runtime/host/rules/rules.ts"
import { BUNDLE_V03, COSIGN_SIGN } from "../../../src/runtime/image/signature.ts"

export interface Answer {
  status?: number
  headers?: Record<string, string>
  body?: string | Buffer
}

/** A registry whose every answer a test decides, over real HTTP. */
export class ImageRegistry implements AsyncDisposable {
  /** By path and query, else by path: what is answered. */
  readonly answers = new Map<string, Answer | ((request: IncomingMessage) => Answer)>()
  readonly requests: { path: string; authorization: string | undefined }[] = []
  readonly #server: Server

  private constructor() {
    this.#server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? "/", this.url)
      this.requests.push({ path: request.url ?? "", authorization: request.headers.authorization })
      const found = this.answers.get(request.url ?? "") ?? this.answers.get(pathname)
      const {
        status = 200,
        headers,
        body,
      } = typeof found === "function" ? found(request) : (found ?? { status: 404 })
      response.writeHead(status, headers).end(body)
    })
  }

  static async start(): Promise<ImageRegistry> {
    const registry = new ImageRegistry()
    await new Promise<void>(resolve => registry.#server.listen(0, "127.0.0.1", resolve))
    return registry
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get url(): string {
    return `http://${this.host}`
  }

  /** Stores a manifest or a blob of a repository under its digest. */
  put(kind: "manifests" | "blobs", repository: string, content: unknown): Digest {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content))
    const digest = digestOf(bytes)
    this.answers.set(`/v2/${repository}/${kind}/${digest}`, { body: bytes })
    return digest
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }
}

export interface KeyPair {
  privateKey: KeyObject
  pinned: PinnedKey
}

export function keyPair(kind: PinnedKey["kind"]): KeyPair {
  const { privateKey, publicKey } =
    kind === "ed25519" ? generateKeyPairSync("ed25519") : generateKeyPairSync("ec", { namedCurve: "P-256" })
  const keyId = hexOf(digestOf(publicKey.export({ format: "der", type: "spki" })))
  return { privateKey, pinned: { file: `${kind}.pub`, kind, keyId, key: publicKey } }
}

/** The statement that cosign v3 signs for an image. */
export function imageStatement(image: Digest) {
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ digest: { sha256: hexOf(image) }, annotations: {} }],
    predicateType: COSIGN_SIGN,
    predicate: {},
  }
}

/** A bundle as cosign v3 makes it with a key, DSSE written anew from its specification. */
export function cosignBundle({ privateKey, pinned }: KeyPair, statement: unknown) {
  const payload = Buffer.from(JSON.stringify(statement))
  const payloadType = "application/vnd.in-toto+json"
  const head = Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `)
  const algorithm = pinned.kind === "ed25519" ? null : "sha256"
  const sig = sign(algorithm, Buffer.concat([head, payload]), privateKey).toString("base64")
  const hint = Buffer.from(pinned.keyId, "hex").toString("base64")
  return {
    mediaType: BUNDLE_V03,
    verificationMaterial: { publicKey: { hint } },
    dsseEnvelope: { payload: payload.toString("base64"), payloadType, signatures: [{ sig }] },
  }
}

/** The manifest that hangs a bundle on an image, as cosign v3 pushes it. */
export function bundleManifest(image: Digest, bundle: Digest, size: number) {
  return {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    artifactType: BUNDLE_V03,
    config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf("{}"), size: 2 },
    layers: [{ mediaType: BUNDLE_V03, digest: bundle, size }],
    subject: { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: image, size: 1 },
    annotations: { "dev.sigstore.bundle.predicateType": COSIGN_SIGN },
  }
}
