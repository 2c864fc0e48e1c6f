package keepalived

import (
	"strings"

	"quorate/fsm"
)

// hurried takes the quicker profile, where the adverts of a virtual router follow each other too quickly for the usual one and not for that.
func (im *importer) hurried(problems fsm.Problems) bool {
	slow := func(ps fsm.Problems) map[string]bool {
		out := map[string]bool{}
		for _, p := range ps {
			if strings.HasPrefix(p.Object, "virtual_router.") && p.Key == "interval" {
				out[p.Object] = true
			}
		}
		return out
	}
	usual := im.config.Settings.Profile
	before := slow(problems)
	if len(before) == 0 || usual == fsm.Fast {
		return false
	}
	im.config.Settings.Profile = fsm.Fast
	after := slow(im.config.Validate())
	if len(after) == len(before) {
		im.config.Settings.Profile = usual
		return false
	}
	for _, object := range sortedKeys(before) {
		o := im.objects[object]
		if after[object] || o == nil {
			continue
		}
		for _, d := range o.from {
			if d.word == "advert_int" {
				d.settle(Changed, `virtual_router: interval; others would take over while the cluster does, unless it is quicker: profile = "fast" was taken for it`,
					"look whether the nodes and their network are fit for that profile, or use longer intervals on all directors")
			}
		}
	}
	return true
}
