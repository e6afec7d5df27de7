import { Ledger, type Place } from "../../src/marketplace/ledger/ledger.ts"
import { MIGRATIONS } from "../../src/marketplace/schema.ts"
import type { Posting } from "../../src/protocol/books.ts"
import type { PublicKey, Signer } from "../../src/protocol/keys.ts"
import { type LedgerProof, ledgerKey } from "../../src/protocol/ledger-proof.ts"
import { type Bundle, bundleDigest } from "../../src/protocol/statement.ts"
import { checkpointText } from "../../src/protocol/tlog/checkpoint.ts"
import { formatNote, signNote } from "../../src/protocol/tlog/note.ts"
import { Database } from "../../src/store/database.ts"

/** A ledger in memory, as a marketplace keeps one. */
export function openLedger(): Ledger {
  return new Ledger(new Database(":memory:", MIGRATIONS).sql, () => 1_700_000_000_000)
}

/** A checkpoint over all that the ledger holds. */
export async function checkpointOf({ log }: Ledger, market: Signer): Promise<string> {
  const { name } = ledgerKey(market.publicKey)
  const text = checkpointText({ origin: name, size: log.size, root: log.root(log.size) })
  return formatNote({ text, signatures: [await signNote(text, { kind: "log", name, signer: market }, 0)] })
}

/** Records a proof and its payment in the ledger, as a settlement does. */
export async function recorded(
  ledger: Ledger,
  market: Signer,
  proof: { bundle: Bundle; key: PublicKey },
  posting: Posting,
): Promise<{ place: Place; ledger: LedgerProof }> {
  const signed = ledger.appendSigned(proof.bundle, bundleDigest(proof.bundle), proof.key)
  const place = ledger.append(posting)
  const published = { size: ledger.log.size, checkpoint: await checkpointOf(ledger, market) }
  return { place, ledger: ledger.prove([signed.index, place.index], published) }
}
