"""Modbus RTU devices of pymodbus on the serial line argv[1], one for each further argument; a line on stdout when they are ready."""

import asyncio
import sys

from pymodbus.framer import FramerRTU, FramerType
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice


ONLY_WRITTEN = 103


def device(unit: int) -> SimDevice:
    coils = [SimData(0, values=[False, False, False, True, False, True, False, False], datatype=DataType.BITS)]
    discrete = [SimData(10, values=[True], datatype=DataType.BITS)]
    holding = [
        SimData(100, values=70000 + unit, datatype=DataType.UINT32),
        SimData(102, values=-5, datatype=DataType.INT16),
        SimData(ONLY_WRITTEN, values=0, datatype=DataType.INT16),
        SimData(200, values=1234567890123, datatype=DataType.INT64),
    ]
    inputs = [
        SimData(52, values=[1500.5 * unit], datatype=DataType.FLOAT32),
        SimData(54, values=[0x5678, 0x1234], datatype=DataType.REGISTERS),
    ]
    return SimDevice(unit, simdata=(coils, discrete, holding, inputs))


def reads_only_written(request: bytes) -> bool:
    address, count = int.from_bytes(request[2:4]), int.from_bytes(request[4:6])
    return request[1] == 3 and address <= ONLY_WRITTEN < address + count


async def main() -> None:
    units = [int(unit) for unit in sys.argv[2:]]
    asked = b""

    def own_answers(is_sending: bool, data: bytes) -> bytes:
        nonlocal asked
        if not is_sending:
            asked += data
            return data
        request, asked = asked, b""
        # For units that are not there it would answer an exception, which no line does.
        if data[0] not in units:
            return b""
        if reads_only_written(request):
            refusal = bytes([data[0], 0x83, 2])
            return refusal + FramerRTU.compute_CRC(refusal).to_bytes(2, "big")
        return data

    server = ModbusSerialServer(
        [device(unit) for unit in units],
        framer=FramerType.RTU,
        port=sys.argv[1],
        baudrate=9600,
        trace_packet=own_answers,
    )
    serving = asyncio.create_task(server.serve_forever())
    while server.transport is None and not serving.done():
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await serving


asyncio.run(main())
