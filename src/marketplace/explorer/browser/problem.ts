/**
 * Why a ledger is not what it claims to be. `unsigned`: by another key, or changed. `forked`: it does not go on from what was seen before.
 * `spoilt`: an entry is not in the signed tree, or a file is missing
 * that should show it. `absent`: it is not published yet. `unable`: this browser
 * cannot tell.
 */
export type ProblemKind = "unsigned" | "forked" | "spoilt" | "absent" | "unable"

export class LedgerProblem extends Error {
  readonly kind: ProblemKind

  constructor(kind: ProblemKind, message: string) {
    super(message)
    this.kind = kind
  }
}
