package bystander_test

import (
	"testing"

	"github.com/tope/updater/platform/service/bystander"
	"github.com/tope/updater/platform/service/servicetest"
)

func TestStandsBy(t *testing.T) { servicetest.StandBy(t, bystander.Manager{}) }
