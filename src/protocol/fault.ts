/** Where a fault belongs; it decides the exit code (sysexits-like tens, stable for supervisors). */
export const EXIT_CODES = { usage: 2, host: 10, market: 20, container: 30, shard: 40, proof: 50 } as const

export type Area = keyof typeof EXIT_CODES

/** EX_TEMPFAIL of sysexits.h: what may pass by itself, so that a supervisor tries again. */
const TRY_AGAIN = 75

/** Every expected failure, once. The same codes stand in prose, in `--json`, in the journal and on the wire. */
export const FAULTS = {
  "bad-argument": "usage",
  "bad-job-file": "usage",
  "bad-image-reference": "usage",
  "file-unreadable": "usage",

  "node-too-old": "host",
  "home-unusable": "host",
  "disk-full": "host",
  "port-in-use": "host",
  "address-unusable": "host",
  "identity-missing": "host",
  "identity-unreadable": "host",
  "already-serving": "host",
  "agent-silent": "host",
  "not-serving": "host",
  "drain-unfinished": "host",
  "nothing-to-offer": "host",
  "gpu-unusable": "host",
  "gpu-unsound": "host",
  "gpu-silent": "host",
  "gpu-lost": "host",
  "gpu-too-hot": "host",
  "gpu-unwatched": "host",
  "toolkit-unsafe": "host",
  "engine-missing": "host",
  "engine-silent": "host",
  "engine-refused": "host",
  "journal-damaged": "host",
  "rules-unreadable": "host",
  "host-unsound": "host",
  "report-missing": "host",
  "wallet-unreadable": "host",

  "market-unreachable": "market",
  "market-silent": "market",
  "market-lost": "market",
  "market-key-changed": "market",
  "protocol-mismatch": "market",
  "frame-not-json": "market",
  "frame-too-large": "market",
  "message-unknown": "market",
  "message-malformed": "market",
  "message-out-of-order": "market",
  "not-authenticated": "market",
  "not-registered": "market",
  "registered-elsewhere": "market",
  "key-refused": "market",
  "signature-wrong": "market",
  "challenge-replayed": "market",
  "offer-gone": "market",
  "lease-unknown": "market",
  "lease-stale": "market",
  "lease-expired": "market",
  "checkpoint-refused": "market",
  "job-unknown": "market",
  "job-refused": "market",
  "job-unmatched": "market",
  "job-unfinished": "market",
  "job-failed": "market",
  "credits-short": "market",
  "bond-held": "market",
  "blob-missing": "market",
  "blob-corrupt": "market",
  "blob-transfer-failed": "market",
  "chain-unreachable": "market",
  "chain-mismatch": "market",
  "chain-refused": "market",
  "funds-short": "market",
  "fee-too-high": "market",

  "image-missing": "container",
  "image-not-pulled": "container",
  "image-not-pushed": "container",
  "image-unsafe": "container",
  "image-unsigned": "container",
  "image-too-large": "container",
  "container-not-created": "container",
  "container-lost": "container",
  "probe-missing": "container",
  "probe-failed": "container",
  "jail-broken": "container",

  "shard-failed": "shard",
  "shard-timed-out": "shard",
  "shard-out-of-memory": "shard",
  "shard-output-missing": "shard",
  "shard-output-unsafe": "shard",
  "shard-output-too-large": "shard",
  "shard-cut-off": "shard",
  "shard-cancelled": "shard",
  "shard-too-large": "shard",
  "shard-not-allowed": "shard",
  "shard-paused-too-long": "shard",

  "proof-unknown": "proof",
  "proof-malformed": "proof",
  "proof-signature-wrong": "proof",
  "proof-mismatch": "proof",
  "audit-failed": "proof",
  "audit-undecided": "proof",
  "receipt-refused": "proof",
  "receipt-missing": "proof",
  "ledger-malformed": "proof",
  "ledger-mismatch": "proof",
  "ledger-forked": "proof",
  "anchor-unknown": "proof",
  "anchor-unconfirmed": "proof",
  "anchor-mismatch": "proof",
} as const satisfies Record<string, Area>

export type FaultCode = keyof typeof FAULTS

export function isFaultCode(code: string): code is FaultCode {
  return Object.hasOwn(FAULTS, code)
}

export interface FaultDetail {
  /** What to do next, as a sentence or a command. */
  hint: string
  /** What was seen: values that help whoever reads the log. Never keys, tokens or environment values. */
  facts?: Record<string, string | number | boolean | null>
  cause?: unknown
}

/** An expected failure that names its code and what to do next. Anything else that is thrown is a bug. */
export class Fault extends Error {
  override readonly name = "Fault"
  readonly code: FaultCode
  readonly area: Area
  readonly hint: string
  readonly facts: Record<string, string | number | boolean | null>

  constructor(code: FaultCode, message: string, { hint, facts = {}, cause }: FaultDetail) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.area = FAULTS[code]
    this.hint = hint
    this.facts = facts
  }

  get exitCode(): number {
    return this.code === "disk-full" ? TRY_AGAIN : EXIT_CODES[this.area]
  }

  toJSON(): { area: Area; code: FaultCode; message: string; hint: string; facts: Fault["facts"] } {
    const { area, code, message, hint, facts } = this
    return { area, code, message, hint, facts }
  }
}

export function isFault(error: unknown, ...codes: FaultCode[]): error is Fault {
  return error instanceof Fault && (codes.length === 0 || codes.includes(error.code))
}
