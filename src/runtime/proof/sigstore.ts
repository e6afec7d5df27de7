import type { PublicKey } from "../../protocol/keys.ts"
import { type LedgerProof, ledgerKey } from "../../protocol/ledger-proof.ts"
import type { Bundle } from "../../protocol/statement.ts"
import { openCheckpoint } from "../../protocol/tlog/checkpoint.ts"
import { fullIdOf } from "../../protocol/tlog/note.ts"

/**
 * A proof's bundle with its inclusion in the marketplace's ledger, as Sigstore's verifiers read it (sigstore_bundle.proto v0.3,
 * sigstore_rekor.proto): `tlogEntries` beside the key's hint. The ledger is trusted as a transparency log with the key that `market start`
 * prints. @throws Fault `ledger-malformed`, `ledger-mismatch`.
 */
export function bundleWithInclusion(bundle: Bundle, { checkpoint, entries }: LedgerProof, market: PublicKey) {
  const log = ledgerKey(market)
  const { size, root } = openCheckpoint(checkpoint, log)
  const [{ index, body, hashes }] = entries as [LedgerProof["entries"][number]]
  const entry = {
    logIndex: `${index}`,
    logId: { keyId: fullIdOf(log).toString("base64") },
    kindVersion: { kind: "dsse", version: "0.0.2" },
    // Rekor v2 says no time either: the checkpoint's cosignatures do.
    integratedTime: "0",
    inclusionProof: {
      logIndex: `${index}`,
      rootHash: Buffer.from(root).toString("base64"),
      treeSize: `${size}`,
      hashes,
      checkpoint: { envelope: checkpoint },
    },
    canonicalizedBody: body,
  }
  return { ...bundle, verificationMaterial: { ...bundle.verificationMaterial, tlogEntries: [entry] } }
}
