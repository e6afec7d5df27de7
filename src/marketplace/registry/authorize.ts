import type { Call } from "./call.ts"
import { OciError } from "./oci-error.ts"

/** @throws OciError `UNAUTHORIZED` without the token of a registered identity's live session. */
export function authorize({ registry, request }: Pick<Call, "registry" | "request">): void {
  const token = tokenIn(request.headers.authorization ?? "")
  if (token && registry.admits(token)) return
  throw new OciError(
    "UNAUTHORIZED",
    "Give the token of a registered identity's live session, as bearer or as password.",
    {
      "WWW-Authenticate": 'Basic realm="zg-agent"',
    },
  )
}

function tokenIn(authorization: string): string | undefined {
  const [scheme = "", value = ""] = authorization.split(" ")
  if (scheme.toLowerCase() === "bearer") return value
  if (scheme.toLowerCase() !== "basic") return undefined
  const [, ...password] = Buffer.from(value, "base64").toString().split(":")
  return password.join(":")
}
