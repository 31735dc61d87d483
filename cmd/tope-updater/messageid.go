package main

import "github.com/tope/updater/engine"

// messageID is systemd's 128-bit name of a kind of event. People search a journal
// for these names, so a name is never changed or used again.
// deploy/systemd/tope-updater.catalog explains each; a test keeps both in agreement.
func messageID(e engine.Event) string {
	switch e {
	case engine.EventRequested:
		return "62d10b9a151a4f0a857aab4b8df3dfff"
	case engine.EventState:
		return "7413e95543c14fad97250863117c63c3"
	case engine.EventCommitted:
		return "f77f061ce40f4a17b081f7cd2eb6fe5a"
	case engine.EventCancelled:
		return "fb9e2f4754944213966471fb7f1485c6"
	case engine.EventChecked:
		return "393862d8eb0b416a87ccc554ba6fa2e3"
	case engine.EventFailed:
		return "007a415bc0094bad88d8b63d5b92f724"
	case engine.EventRefused:
		return "e1273abb24eb4d84871328ceffac7480"
	case engine.EventBack:
		return "e3609bc413d34512b2202e0f75bc7a89"
	case engine.EventRolledBack:
		return "74e3489cfa144a7092cb961b7042255c"
	case engine.EventFellBack:
		return "4a067c05d9ab4b57a47bab0159bc18ad"
	case engine.EventAttention:
		return "ec763b36c41b4576a5bd37cc25698b09"
	case engine.EventRecovered:
		return "132e390fc0814540b4f83667617f656b"
	case engine.EventQuarantine:
		return "fb3f49b9bf2b4b2d94ba67854f989d8e"
	case engine.EventRepaired:
		return "bd5f0b0e6b1f4fd2a8f4f2ab3c0fe24d"
	case engine.EventDiffers:
		return "6f2a9d3c54f04c0e9f0d7e8d21b7a4c5"
	case engine.EventJournalDamaged:
		return "ca2cbcd1d3c74954af959356a51ce0ee"
	case engine.EventJournalFailed:
		return "71f7863a278d4f26aa7cc7259574d882"
	case engine.EventUnitFiles:
		return "371143ed56e64392a48248b6ef70dc9a"
	case engine.EventUntrusting:
		return "30ee530120734db698ec6f8ad92cd13d"
	case engine.EventDenied:
		return "1d7b5003a77d459f91ed90d0586df600"
	}
	return ""
}
