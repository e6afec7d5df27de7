import { z } from "zod"
import { type ImageSource, isLoopback } from "./source.ts"
import { bodyOf, RegistryTrouble } from "./trouble.ts"

/** Tokens of large registries have 3 KB. */
const TOKEN_LIMIT_BYTES = 64 << 10

const Issued = z.object({ token: z.string().optional(), access_token: z.string().optional() })
/** What a header can carry. */
const HeaderToken = z.string().regex(/^[\x21-\x7e]+$/)

/**
 * Asks where the registry says for a token that reads this one repository, as nobody (distribution's "Token Authentication").
 * @param challenge the registry's WWW-Authenticate.
 * @throws RegistryTrouble
 */
export async function anonymousToken(
  challenge: string | null,
  source: ImageSource,
  signal: AbortSignal,
): Promise<string> {
  const url = tokenUrl(challenge ?? "", source)
  if (url === null) throw new RegistryTrouble("the registry asks for a login", false)
  const response = await fetch(url, { signal, redirect: "error" })
  const text = (await bodyOf(response, TOKEN_LIMIT_BYTES)).toString("utf8")
  if (response.status !== 200)
    throw new RegistryTrouble(`${url.host} gave no token: ${response.status}`, response.status >= 500)
  return tokenIn(text, url.host)
}

/** Null for another kind of challenge, and for a place that a token must not come from. */
function tokenUrl(challenge: string, { origin, repository }: ImageSource): URL | null {
  if (!/^bearer /i.test(challenge)) return null
  const fields = new Map<string, string>()
  for (const [, name = "", value = ""] of challenge.matchAll(/(\w+)="([^"]*)"/g)) fields.set(name, value)
  const url = URL.parse(fields.get("realm") ?? "")
  if (url === null || url.username !== "" || url.password !== "") return null
  const onThisMachine = url.protocol === "http:" && isLoopback(url.host) && isLoopback(new URL(origin).host)
  if (url.protocol !== "https:" && !onThisMachine) return null
  const service = fields.get("service")
  if (service !== undefined) url.searchParams.set("service", service)
  // Ours, whatever the registry proposes.
  url.searchParams.set("scope", `repository:${repository}:pull`)
  return url
}

function tokenIn(text: string, host: string): string {
  try {
    const { token, access_token } = Issued.parse(JSON.parse(text))
    return HeaderToken.parse(token ?? access_token)
  } catch {
    throw new RegistryTrouble(`${host} gave no token`, false)
  }
}
