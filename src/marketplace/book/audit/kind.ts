import type { KeyId } from "../../../protocol/keys.ts"
import type { Exchange } from "../exchange.ts"

/** What a slot computes on, by name: of two of the same kind, equal bytes can be asked for. A card that nobody has measured is named by its device. */
export function kindOf(
  { identities, reports, roster }: Pick<Exchange, "identities" | "reports" | "roster">,
  agent: KeyId,
  slotId: string | null,
): string {
  const card = reports.of(agent)?.cards.find(({ identity }) => identity === slotId)
  if (card?.name) return card.name
  const device = roster.slotsOf(agent).find(({ id }) => id === slotId)?.device ?? "cpu"
  return device === "cpu" ? (identities.machine(agent)?.cpu ?? device) : device
}
