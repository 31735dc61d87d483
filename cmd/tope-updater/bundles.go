package main

import (
	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/legacyzip"
	"github.com/tope/updater/steps/bundle/supply"
)

// bundles has what this device knows about bundles: their formats, whose bundles
// it accepts, and where their content goes.
type bundles struct{ *parts }

func (p *parts) bundles() bundles { return bundles{p} }

// formats are the bundle formats that this device knows.
func (b bundles) formats() []bundle.Format {
	return []bundle.Format{
		supply.Format{Judge: b.native(), Versions: b.store},
		b.policy().Guard(legacyzip.Format{}),
	}
}

// native returns the judge of native bundles.
func (b bundles) native() *supply.Judge {
	return &supply.Judge{
		Verify: b.policy().Signature, Product: b.cfg.Device.Product, Hardware: b.cfg.Device.Hardware,
		Updater: thisBuild().Version, Clock: b.clock, Limits: bundle.DefaultLimits(),
	}
}

// planner decides which parts of a native bundle are fetched.
func (b bundles) planner() *supply.Planner {
	return &supply.Planner{Judge: b.native(), Versions: b.store, MaxPatch: b.cfg.Download.MaxPatch, Room: b.space().Room}
}

// space finds room for a release, and makes room when there is too little.
func (b bundles) space() bundle.Space {
	return bundle.Space{Versions: b.store.Dir(), Preflight: disk.Preflight, MakeRoom: b.keeper().makeRoom}
}
