import { createPrivateKey, generateKeyPairSync } from "node:crypto"
import { chmod, link, mkdir, open, readFile, rm, stat } from "node:fs/promises"
import { dirname } from "node:path"
import { signAsync } from "@noble/ed25519"
import { Fault } from "../protocol/fault.ts"
import { keyIdOf, publicKeyOf, type Signer } from "../protocol/keys.ts"

/**
 * Opens the identity in a PKCS#8 PEM file.
 * @throws Fault `identity-missing`, or `identity-unreadable` when others may read it or it is no Ed25519 key.
 */
export async function loadIdentity(path: string): Promise<Signer> {
  const pem = await readPem(path)
  const { mode } = await stat(path)
  if ((mode & 0o077) !== 0) throw unreadable(path, "others on this machine may read it", `chmod 600 ${path}`)
  return signerOf(pem, path)
}

/** Opens the identity, or makes one (mode 0600) where there is none. Two processes at once get the same one. */
export async function ensureIdentity(path: string): Promise<Signer> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const { privateKey } = generateKeyPairSync("ed25519")
  const draft = `${path}.${process.pid}`
  const file = await open(draft, "w", 0o600)
  try {
    await file.writeFile(privateKey.export({ format: "pem", type: "pkcs8" }))
    await file.sync()
    await chmod(draft, 0o600)
    await link(draft, path).catch(error => {
      if (error.code !== "EEXIST") throw error
    })
  } finally {
    await file.close()
    await rm(draft, { force: true })
  }
  return loadIdentity(path)
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8")
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT")
      throw unreadable(path, "it cannot be opened", "Check who owns it.", cause)
    throw new Fault("identity-missing", `There is no identity at ${path}.`, {
      hint: "Run `zg-agent register --market ws://…` to make one.",
      cause,
    })
  }
}

function signerOf(pem: string, path: string): Signer {
  try {
    const jwk = createPrivateKey(pem).export({ format: "jwk" })
    if (jwk.crv !== "Ed25519" || !jwk.d || !jwk.x) throw new TypeError(`a ${jwk.crv ?? jwk.kty} key`)
    const secret = Buffer.from(jwk.d, "base64url")
    const publicKey = publicKeyOf(Buffer.from(jwk.x, "base64url"))
    return { publicKey, keyId: keyIdOf(publicKey), sign: message => signAsync(message, secret) }
  } catch (cause) {
    throw unreadable(
      path,
      "it holds no Ed25519 private key",
      "Put your backup of it back, or move it away and register anew.",
      cause,
    )
  }
}

function unreadable(path: string, why: string, hint: string, cause?: unknown): Fault {
  return new Fault("identity-unreadable", `The identity at ${path} is not usable: ${why}.`, { hint, cause })
}
