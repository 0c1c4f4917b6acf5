#!/bin/sh
hub_url='@HUB_URL@'
hub_grpc_port='@HUB_GRPC_PORT@'
