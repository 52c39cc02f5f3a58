// The machine's reasons come as sentences in English; here they are said in the person's language.
// A sentence that is not known is shown as it came: nothing is left out.
import { t } from "./texts.js";

const FOUND = {
  "its evidence for a defect lies where it responds most": "agreement",
  "its evidence for a defect overlaps with where it responds": "agreement_soft",
  "its evidence for a defect is strong where it responds": "agreement_plain_soft",
  "its evidence for a good part lies elsewhere than where it responds": "normal_disagreement",
  "its mask shows a faint defect": "mask_evidence",
  "something looks unlike every good part it was shown": "novelty",
  "it was less sure than with good parts": "margin",
  "one spot looked defective": "cell_peak",
  "the evidence for a defect stood out once it was enhanced": "agreement_enhanced",
  "the evidence for a defect grew when it was enhanced": "agreement_gain",
  "the evidence for a defect spread over where it responds once it was enhanced": "agreement_soft_enhanced",
  "the evidence for a defect spread when it was enhanced": "agreement_soft_gain",
  "the evidence for a defect was strong once it was enhanced": "agreement_plain_soft_enhanced",
  "the evidence for a defect became stronger when it was enhanced": "agreement_plain_soft_gain",
  "once enhanced, the evidence for a good part lay elsewhere than where it responds": "normal_disagreement_enhanced",
  "the evidence for a good part moved away from where it responds when it was enhanced": "normal_disagreement_gain",
  "a small push was enough to make it doubt": "margin_enhanced",
  "a small push moved it farther than it moves good parts": "margin_gain",
  "it was less sure of the picture and its half turn together than with good parts": "margin_turned",
  "its evidence is unusual for a good part": "unusual",
  "the evidence for a defect is unusual for a good part": "unusual",
};
const SENTENCES = [
  [/^network said NG \(p ([\d.]+), limit ([\d.]+)\)$/, "reason.ng", ["p", "limit"]],
  [/^network said OK \(p ([\d.]+)\), but its mask shows a defect$/, "reason.mask", ["p"]],
  [/^network said OK \(p ([\d.]+)\), but the bundle is only taught: no OK of it counts$/, "reason.taught", ["p"]],
  [/^network said OK \(p ([\d.]+)\), but the bundle is only in shadow: no OK of it counts$/, "reason.shadow", ["p"]],
  [/^view (\S+): defect \(p ([\d.]+|unknown)\)$/, "reason.view_defect", ["view", "p"]],
  [/^view (\S+): suspicion ([\d.]+|unknown)$/, "reason.view_suspicion", ["view", "suspicion"]],
  [/^view (\S+): not decidable \((\S+)\)$/, "reason.view_undecidable", ["view", "why"]],
  [/^view (\S+) is missing at decide-by$/, "reason.view_missing", ["view"]],
  [/^view (\S+): its capture came out of time$/, "reason.view_out_of_time", ["view"]],
  [/^view (\S+): its capture is missing at decide-by$/, "reason.view_no_capture", ["view"]],
  [/^view (\S+): its inspection is missing at decide-by$/, "reason.view_no_inspection", ["view"]],
  [/^view (\S+): its picture is lost \((\S+)\)$/, "reason.view_lost", ["view", "why"]],
  [/^view (\S+) is not in the recipe$/, "reason.view_unexpected", ["view"]],
  [/^recipe (\S+) is unknown$/, "reason.recipe_unknown", ["recipe"]],
  [/^the part came back after (\S+) without an authority$/, "reason.came_back", ["visit"]],
  [/^complete, but too close to its decide-by for a pass$/, "reason.too_close", []],
  [/^this pass was drawn for audit$/, "reason.audit", []],
  [/^this reject was drawn for a person's review$/, "reason.review", []],
];
const DOUBT = /^(?:the )?network said OK \((?:p )?([\d.]+)\), but (.+?)(?: \(suspicion ([\d.]+), limit ([\d.]+)\))?$/;

export function inWords(sentence) {
  for (const [pattern, key, names] of SENTENCES) {
    const match = pattern.exec(sentence);
    if (match) return t(key, Object.fromEntries(names.map((name, at) => [name, match[at + 1]])));
  }
  const doubt = DOUBT.exec(sentence);
  const found = doubt && FOUND[doubt[2]];
  if (!found) return sentence;
  const words = t(`reason.found.${found}`);
  const [, p, , suspicion, limit] = doubt;
  return suspicion ? t("reason.doubt", { p, words, suspicion, limit }) : t("reason.doubt_plain", { p, words });
}
