"""Every route about traffic → one router, to be mounted under ``/api/v1``."""

from fastapi import APIRouter

from coordinator.traffic.answers_router import router as answers_router
from coordinator.traffic.exports_router import router as exports_router
from coordinator.traffic.live_router import router as live_router
from coordinator.traffic.quality_router import router as quality_router

router = APIRouter()
for part in (answers_router, quality_router, exports_router, live_router):
    router.include_router(part)
