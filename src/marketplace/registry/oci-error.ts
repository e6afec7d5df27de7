/** The codes of OCI distribution-spec 1.1, "Error Codes", each with its usual status; the last one is ours. */
const STATUS = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 404,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  SIZE_INVALID: 413,
  UNAUTHORIZED: 401,
  UNSUPPORTED: 405,
  RANGE_INVALID: 416,
  STORAGE_FULL: 507,
} as const

type OciCode = keyof typeof STATUS

/** What a registry client is told instead of what it asked for. */
export class OciError extends Error {
  readonly code: OciCode
  readonly status: number
  readonly headers: Record<string, string>

  constructor(code: OciCode, message: string, headers: Record<string, string> = {}) {
    super(message)
    this.code = code
    this.status = STATUS[code]
    this.headers = headers
  }

  get body(): string {
    return JSON.stringify({ errors: [{ code: this.code, message: this.message, detail: null }] })
  }
}
