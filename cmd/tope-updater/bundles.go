package main

import (
	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/legacyzip"
	"github.com/tope/updater/steps/bundle/supply"
)

// unsigned is the format that cannot be signed.
var unsigned = legacyzip.Format{}

// bundles has what this device knows about bundles: their formats, whose bundles
// it accepts, and where their content goes.
type bundles struct{ *parts }

func (p *parts) bundles() bundles { return bundles{p} }

// formats are the bundle formats that this device knows.
func (b bundles) formats() []bundle.Format {
	return []bundle.Format{
		supply.Format{Judge: b.native(), Versions: b.store},
		b.policy().Guard(unsigned),
	}
}

// unsignedBrings is what releases may bring for which no key vouches.
func (b bundles) unsignedBrings() bundle.Unsigned {
	t := b.cfg.Trust
	return bundle.Unsigned{
		Units: t.Brings(config.Units), Hooks: t.Brings(config.Hooks),
		Commands: t.Brings(config.Commands) || b.cfg.Legacy.AllowPostCmds,
		Updater:  t.Brings(config.Updater),
	}
}

// native returns the judge of native bundles.
func (b bundles) native() *supply.Judge {
	j := &supply.Judge{
		Verify: b.policy().Signature, Product: b.cfg.Device.Product, Hardware: b.cfg.Device.Hardware,
		Updater: thisBuild().Version, FileCapabilities: b.cfg.Trust.FileCapabilities, Unsigned: b.unsignedBrings(), Clock: b.clock, Limits: bundle.DefaultLimits(),
	}
	if units := b.stageUnits(); units != nil {
		j.Units = units.Allows
	}
	return j
}

// planner decides which parts of a native bundle are fetched.
func (b bundles) planner() *supply.Planner {
	return &supply.Planner{
		Judge: b.native(), Versions: b.store, MaxPatch: b.cfg.Download.MaxPatch, Room: b.space().Room,
		Accepts: func() error { return b.policy().Unsignable(unsigned.Name()) }, Formats: []bundle.Format{unsigned},
	}
}

// space finds room for a release, and makes room when there is too little.
func (b bundles) space() bundle.Space {
	return bundle.Space{Versions: b.store.Dir(), Preflight: disk.Preflight, MakeRoom: b.keeper().makeRoom}
}
