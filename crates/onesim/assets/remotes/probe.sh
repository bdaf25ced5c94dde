#!/bin/sh
# Simulated: a probe of the dummy hypervisor.
echo 'HYPERVISOR=dummy'
