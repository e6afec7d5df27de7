import type { KeyId } from "../../../protocol/keys.ts"
import type { Slot } from "../../../protocol/message.ts"
import type { Exchange } from "../exchange.ts"

/** What a slot computes on, by name: of two of the same kind, equal bytes can be asked for. A card that nobody has measured is named by its device. */
export function kindOf(
  { identities, reports }: Pick<Exchange, "identities" | "reports">,
  agent: KeyId,
  { id, device }: Pick<Slot, "id" | "device">,
): string {
  if (device === "cpu") return identities.machine(agent)?.cpu ?? device
  const card = reports.of(agent)?.cards.find(({ identity }) => identity === id)
  return card?.name ?? device
}
