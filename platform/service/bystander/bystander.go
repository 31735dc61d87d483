// Package bystander is the service manager of a device on which somebody else
// runs the services, or nobody does: manager = "none". It agrees to everything
// and does nothing, so an update is its files, links and pointers only.
package bystander

import (
	"context"

	"github.com/tope/updater/platform/service"
)

// Manager implements service.Manager and service.Bystander. The zero value is ready.
type Manager struct{}

var (
	_ service.Manager     = Manager{}
	_ service.Bystander   = Manager{}
	_ service.Replaceable = Manager{}
)

// StandsBy implements service.Bystander.
func (Manager) StandsBy() {}

// ReplaceableInPlace implements service.Replaceable: there are no services that
// it could disturb.
func (Manager) ReplaceableInPlace() {}

// Start does nothing.
func (Manager) Start(context.Context, service.Service) error { return nil }

// Stop does nothing.
func (Manager) Stop(context.Context, service.Service) error { return nil }

// Restart does nothing.
func (Manager) Restart(context.Context, service.Service) error { return nil }

// Reload does nothing.
func (Manager) Reload(context.Context) error { return nil }

// Stopping is never true: nothing announces a shutdown here.
func (Manager) Stopping(context.Context) (bool, error) { return false, nil }

// Inhibit puts nothing off.
func (Manager) Inhibit(context.Context, string) (func(), error) { return func() {}, nil }

// Close does nothing.
func (Manager) Close() error { return nil }

// Survey finds nothing.
func (Manager) Survey(context.Context, []service.Service) (service.Survey, error) {
	return service.Survey{}, nil
}

// Status reports every service as stopped and without a unit, so there is nothing
// to wait for, not even for one that a release names.
func (Manager) Status(context.Context, service.Service) (service.Status, error) {
	return service.Status{Active: service.Stopped}, nil
}
